// PostGraphile 5 on views (database.sql) of plaza's tables: its statements follow from the document.
import { createServer } from 'node:http';
import { grafserv } from 'postgraphile/grafserv/node';
import { makePgService } from 'postgraphile/adaptors/pg';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { postgraphile } from 'postgraphile';
import { connections, database, everywhere, port } from './workers.mjs';

const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [
    makePgService({
      connectionString: database,
      schemas: ['peers'],
      poolConfig: { max: connections, idleTimeoutMillis: 0 },
    }),
  ],
  schema: { defaultBehavior: '-insert -update -delete' },
  grafast: { explain: false },
  grafserv: { graphqlPath: '/graphql', graphiql: false, watch: false },
};

await everywhere(async () => {
  const served = postgraphile(preset).createServ(grafserv);
  const server = createServer();
  server.on('error', (error) => {
    console.error(error);
    process.exit(1);
  });
  await served.addTo(server);
  server.listen(port, '127.0.0.1');
});
