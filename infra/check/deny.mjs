// Licences, banned crates and sources of every crate in the tree, as deny.toml says them: for machines without cargo-deny, which knows more (several
// versions of a crate, yanked ones, advisories). Of deny.toml it reads what stands there today; another form of it is an error, not a pass.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './files.mjs';

const text = readFileSync(join(root, 'deny.toml'), 'utf8').replace(/^\s*#.*$/gm, '');
const section = (name) => {
  const found = text.match(new RegExp(`^\\[${name}\\]$([\\s\\S]*?)(?=^\\[|$(?![\\s\\S]))`, 'm'));
  if (!found) throw new Error(`deny.toml has no [${name}]`);
  return found[1];
};
const list = (of, key) => {
  const found = of.match(new RegExp(`^${key} = \\[([\\s\\S]*?)^\\]`, 'm'));
  if (!found) throw new Error(`deny.toml: no list ${key}`);
  return found[1];
};
const strings = (of) => [...of.matchAll(/"([^"]+)"/g)].map(([, value]) => value);

const licenses = section('licenses');
const allowed = new Set(strings(list(licenses, 'allow')));
const exceptions = new Map(
  [...list(licenses, 'exceptions').matchAll(/crate = "([^"]+)", allow = \[([^\]]*)\]/g)].map(
    ([, crate, extra]) => [crate, new Set(strings(extra))],
  ),
);
const banned = new Map(
  [...list(section('bans'), 'deny').matchAll(/crate = "([^"]+)", reason = "([^"]+)"/g)].map(
    ([, crate, reason]) => [crate, reason],
  ),
);
if (allowed.size === 0 || banned.size === 0) throw new Error('deny.toml says nothing');

/** Whether an SPDX expression (or the old form with slashes) can be met by licences that are allowed. */
function isMet(expression, isAllowed) {
  const tokens = expression.replaceAll('/', ' OR ').match(/\(|\)|[^\s()]+/g) ?? [];
  const term = () => {
    const token = tokens.shift();
    if (token === '(') {
      const met = either();
      tokens.shift();
      return met;
    }
    if (tokens[0] !== 'WITH') return isAllowed(token);
    tokens.shift();
    return isAllowed(`${token} WITH ${tokens.shift()}`);
  };
  const both = () => {
    let met = term();
    while (tokens[0] === 'AND') {
      tokens.shift();
      met = term() && met;
    }
    return met;
  };
  const either = () => {
    let met = both();
    while (tokens[0] === 'OR') {
      tokens.shift();
      met = both() || met;
    }
    return met;
  };
  return either();
}

const platform = execFileSync('rustc', ['-vV'], { encoding: 'utf8' }).match(/^host: (.*)$/m)[1];
const metadata = JSON.parse(
  execFileSync('cargo', ['metadata', '--locked', '--format-version=1', `--filter-platform=${platform}`], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  }),
);
const faults = [];
const resolved = new Set(metadata.resolve.nodes.map((node) => node.id));
const crates = metadata.packages.filter((crate) => resolved.has(crate.id) && crate.source !== null);
for (const { name, version, license, source } of crates) {
  const isAllowed = (id) => allowed.has(id) || exceptions.get(name)?.has(id);
  if (!license || !isMet(license, isAllowed)) faults.push(`${name} ${version}: licence ${license ?? 'unknown'}`);
  if (banned.has(name)) faults.push(`${name} ${version} is banned: ${banned.get(name)}`);
  if (!source.startsWith('registry+https://github.com/rust-lang/crates.io-index')) {
    faults.push(`${name} ${version} comes from ${source}`);
  }
}
for (const fault of faults) console.log(fault);
console.log(`${crates.length} crates, ${faults.length} faults`);
process.exitCode = faults.length ? 1 : 0;
