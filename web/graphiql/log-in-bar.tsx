import type { Session } from '@plaza/client';
import { useState, type SubmitEvent } from 'react';
import { fieldOf } from '../shared/form';
import { useSession } from '../shared/use-session';

/** The strip above GraphiQL: who every request is sent as. */
export function LogInBar({ session }: { session: Session }) {
  const person = useSession(session);
  return (
    <header className="bar">
      <h1>
        <a className="bar-brand" href="/">
          <img
            src={new URL('../shared/plaza.svg', import.meta.url).href}
            alt=""
            width="24"
            height="24"
          />
          plaza
        </a>
      </h1>
      {person ? (
        <div className="bar-person">
          <span role="status">
            Requests are sent as <strong>@{person.handle}</strong>
          </span>
          <button type="button" onClick={() => void session.logOut()}>
            Log out
          </button>
        </div>
      ) : (
        <LogInForm session={session} />
      )}
    </header>
  );
}

function LogInForm({ session }: { session: Session }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  async function submit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    try {
      const [refusal] = await session.logIn({
        handle: fieldOf(form, 'handle'),
        password: fieldOf(form, 'password'),
      });
      setProblem(refusal ? refusal.message : null);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="bar-person" onSubmit={(event) => void submit(event)}>
      <span role="alert">{problem}</span>
      <input
        name="handle"
        aria-label="Handle"
        placeholder="handle"
        autoComplete="username"
        autoCapitalize="none"
        required
      />
      <input
        name="password"
        aria-label="Password"
        placeholder="password"
        type="password"
        autoComplete="current-password"
        required
      />
      <button type="submit" disabled={busy}>
        {busy ? 'Logging in…' : 'Log in'}
      </button>
    </form>
  );
}
