import { useState, useSyncExternalStore } from 'react';
import { resolved } from '../api/images';
import { goBack, Link, paths } from '../router';
import { Icon } from './icon';
import { ago, fullTime, hash } from './format';
import { more, w } from '../words';

let now = Date.now();

function everyHalfMinute(listener: () => void): () => void {
  const timer = setInterval(() => {
    now = Date.now();
    listener();
  }, 30_000);
  return () => clearInterval(timer);
}

/** When something was, and the exact moment on asking; `told` within a sentence. */
export function Ago({ time, told = false }: { time: string; told?: boolean }) {
  const current = useSyncExternalStore(everyHalfMinute, () => now);
  return (
    <time dateTime={time} title={fullTime(time)}>
      {ago(time, current, told)}
    </time>
  );
}

interface AvatarProps {
  handle: string;
  name: string;
  image?: { url: string | null } | null | undefined;
  size?: 's' | 'm' | 'l';
  /** Leads to the person; for eyes and hands: beside it is a link with the name. */
  linked?: boolean;
}

/** A person's picture, or else their initials on a colour of theirs. */
export function Avatar({ linked = false, ...person }: AvatarProps) {
  if (!linked || !person.handle) return <Picture {...person} />;
  return (
    <Link to={paths.person(person.handle)} className="avatar-link" tabIndex={-1} aria-hidden="true">
      <Picture {...person} />
    </Link>
  );
}

function Picture({ handle, name, image, size = 'm' }: AvatarProps) {
  // An address ends after some hours; until the person is asked for again, their initials do.
  const [broken, setBroken] = useState<string | null>(null);
  if (image?.url && image.url !== broken) {
    const { url } = image;
    return (
      <span className={`avatar avatar-${size}`} aria-hidden="true">
        <img src={resolved(url)} alt="" width="128" height="128" onError={() => setBroken(url)} />
      </span>
    );
  }
  const initials = name
    .split(/\s+/)
    .map((word) => Array.from(word)[0] ?? '')
    .slice(0, 2)
    .join('');
  return (
    <span className={`avatar avatar-${size} avatar-tone-${hash(handle) % 6}`} aria-hidden="true">
      {initials.toUpperCase()}
    </span>
  );
}

export interface Named {
  handle: string;
  displayName: string;
}

/** A person as they are named beside what they wrote. */
export function Byline({ person }: { person: Named | null }) {
  if (!person) return <span className="quiet">{w.goneSomebody}</span>;
  return (
    <Link to={paths.person(person.handle)} className="byline">
      <strong>{person.displayName}</strong> <span className="quiet">@{person.handle}</span>
    </Link>
  );
}

/** That somebody follows the viewer, where they do. */
export function FollowsYou({ user }: { user: { isFollowingViewer: boolean | null } }) {
  return user.isFollowingViewer ? <span className="badge">{more.followsViewer}</span> : null;
}

/** Where one is, and the way back: to where one came from, or else up. */
export function BackHeader({ title, to }: { title: string; to: string }) {
  return (
    <header className="back-header">
      <button type="button" className="chip back" aria-label={w.back} onClick={() => goBack(to)}>
        <Icon name="back" />
      </button>
      <h2 dir="auto">{title}</h2>
    </header>
  );
}

const TONES = 5;

/** Goods have no pictures at plaza: each gets a pattern of tiles of its own. */
export function Tiles({ id }: { id: string }) {
  const seed = hash(id);
  const arcs = Array.from({ length: 16 }, (_, index) => {
    // Two rows decide, the others mirror them: a pattern, not noise.
    const [row, column] = [Math.floor(index / 4), index % 4];
    const [r, c] = [Math.min(row, 3 - row), Math.min(column, 3 - column)];
    const turn = (seed >> ((r * 2 + c) * 3)) & 3;
    const mirrored = (turn + (row > 1 ? 2 : 0) + (column > 1 ? 1 : 0)) % 4;
    const whole = ((seed >> (r * 2 + c + 14)) & 3) === 0;
    return { row, column, mirrored, whole };
  });
  return (
    <svg
      className={`tiles tiles-tone-${seed % TONES}`}
      viewBox="0 0 4 4"
      preserveAspectRatio="xMidYMid slice"
      aria-hidden="true"
    >
      <rect className="tiles-ground" width="4" height="4" />
      {arcs.map(({ row, column, mirrored, whole }) => (
        <g
          key={`${row}${column}`}
          transform={`translate(${column} ${row}) rotate(${mirrored * 90} .5 .5)`}
        >
          <path
            className={(row + column) % 2 ? 'tiles-a' : 'tiles-b'}
            d={whole ? 'M.5 0 1 .5.5 1 0 .5z' : 'M0 0h1A1 1 0 0 1 0 1z'}
          />
        </g>
      ))}
    </svg>
  );
}
