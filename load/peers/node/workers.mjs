// As many processes as cores, so that Node has the whole machine, as the Rust programs do.
import cluster from 'node:cluster';

/** The port and the database: `node PROGRAM.mjs PORT` with DATABASE_URL in the environment. */
export const port = Number(process.argv[2]);
export const database = process.env.DATABASE_URL;
const workers = Number(process.env.WORKERS ?? 2);
/** Connections to PostgreSQL of one process: eight of all together. */
export const connections = Math.max(1, Math.round(8 / workers));

/** Serves in each worker; the first process only starts them, and ends with the first that ends. */
export async function everywhere(serve) {
  if (!cluster.isPrimary) return serve();
  for (let started = 0; started < workers; started += 1) cluster.fork();
  cluster.on('exit', () => process.exit(1));
  process.on('SIGTERM', () => process.exit(0));
}
