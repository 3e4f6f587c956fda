// The files that git keeps or would keep, as paths from the root.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

export const root = new URL('../../', import.meta.url).pathname;

const listed = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
export const files = execFileSync('git', listed, { cwd: root, encoding: 'utf8' })
  .split('\0')
  .filter((file) => file && existsSync(root + file));
