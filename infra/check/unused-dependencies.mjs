// Names each dependency of the workspace that none of its package's sources mentions. By name, as cargo-machete does: what is used only through a
// macro or for its features must be listed here, with why.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const UNMENTIONED = {};

// Sources of one package: a folder with a manifest of its own is another's.
function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && existsSync(join(path, 'Cargo.toml'))) continue;
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.rs')) yield path;
  }
}

const arguments_ = ['metadata', '--no-deps', '--format-version', '1', '--locked', '--offline'];
const { packages } = JSON.parse(
  execFileSync('cargo', arguments_, { encoding: 'utf8', maxBuffer: 1e8 }),
);
let unused = 0;
for (const { name, manifest_path, dependencies, targets } of packages) {
  const folders = new Set(targets.map(({ src_path }) => dirname(src_path)));
  const text = [...folders]
    .flatMap((folder) => [...sources(folder)].map((file) => readFileSync(file, 'utf8')))
    .join('\n');
  for (const dependency of dependencies) {
    const crate = (dependency.rename ?? dependency.name).replaceAll('-', '_');
    const mentioned = new RegExp(`\\b${crate}\\b(::|\\s+as\\b|;|!)`).test(text);
    if (mentioned || UNMENTIONED[dependency.name]) continue;
    console.log(`${manifest_path}: nothing in ${name} uses ${dependency.name}`);
    unused += 1;
  }
}
process.exitCode = unused ? 1 : 0;
