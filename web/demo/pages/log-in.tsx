import { useState, type SubmitEvent } from 'react';
import { problemOfErrors, type Problem } from '../api/problem';
import { fieldOf } from '../../shared/form';
import type { UserError } from '../../shared/session';
import { useLogIn } from '../me';
import { Field } from '../parts/form';
import { Page } from '../parts/page';
import { ProblemLine } from '../parts/states';
import { Link } from '../router';
import '../style/forms.css';

/** Who gets in is led on by the routes: they see that somebody is logged in. */
function useEntering(enter: (form: FormData) => Promise<UserError[]>) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const submit = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setProblem(null);
    try {
      const errors = await enter(form);
      if (errors.length > 0) setProblem(problemOfErrors(errors));
    } catch (error) {
      setProblem({ message: error instanceof Error ? error.message : String(error), fields: {} });
    } finally {
      setBusy(false);
    }
  };
  return { busy, problem, onSubmit: (event: SubmitEvent<HTMLFormElement>) => void submit(event) };
}

export function LogInPage() {
  const session = useLogIn();
  const { busy, problem, onSubmit } = useEntering((form) =>
    session.logIn({ handle: fieldOf(form, 'handle'), password: fieldOf(form, 'password') }),
  );
  return (
    <Page title="Log in">
      <form className="entrance" onSubmit={onSubmit}>
        <Field
          label="Handle"
          name="handle"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus
          problem={problem}
        />
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete="current-password"
          problem={problem}
        />
        <ProblemLine problem={problem} />
        <button type="submit" className="button button-wide" disabled={busy}>
          {busy ? 'Logging in…' : 'Log in'}
        </button>
        <p className="quiet">
          New here? <Link to="/signup">Sign up</Link>
        </p>
      </form>
    </Page>
  );
}

export function SignUpPage() {
  const session = useLogIn();
  const { busy, problem, onSubmit } = useEntering((form) =>
    session.signUp({
      handle: fieldOf(form, 'handle'),
      displayName: fieldOf(form, 'displayName'),
      email: fieldOf(form, 'email'),
      password: fieldOf(form, 'password'),
    }),
  );
  const unplaced = problem && Object.keys(problem.fields).length === 0 ? problem : null;
  return (
    <Page title="Sign up">
      <form className="entrance" onSubmit={onSubmit}>
        <Field
          label="Name"
          name="displayName"
          autoComplete="name"
          maxLength={60}
          autoFocus
          problem={problem}
        />
        <Field
          label="Handle"
          name="handle"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          pattern="[A-Za-z0-9_]{3,30}"
          hint="3 to 30 letters, digits and _"
          problem={problem}
        />
        <Field
          label="E-mail"
          name="email"
          type="email"
          autoComplete="email"
          maxLength={254}
          problem={problem}
        />
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete="new-password"
          minLength={8}
          hint="8 characters or more"
          problem={problem}
        />
        <ProblemLine problem={unplaced} />
        <button type="submit" className="button button-wide" disabled={busy}>
          {busy ? 'Signing up…' : 'Sign up'}
        </button>
        <p className="quiet">
          Here already? <Link to="/login">Log in</Link>
        </p>
      </form>
    </Page>
  );
}
