import type { UserError } from '@plaza/client';
import { useState, type ChangeEvent, type SubmitEvent } from 'react';
import { useFields } from '../api/fields';
import { explainThrown, problemOfErrors, type Problem } from '../api/problem';
import { fieldOf } from '../../shared/form';
import { useLogIn } from '../me';
import { Filled } from '../parts/filled';
import { Field, PasswordField } from '../parts/form';
import { Page } from '../parts/page';
import { ProblemLine } from '../parts/states';
import { Link } from '../router';
import { more, w } from '../words';
import '../style/forms.css';

/** The other way in; it leads on to the same page. */
const elsewhere = (path: '/login' | '/signup') => path + location.search;

/**
 * Who gets in is led on by the routes: they see that somebody is logged in. What was typed is
 * shared by both forms, and kept until one of them was taken; a password is neither.
 */
function useEntering(enter: (form: FormData) => Promise<UserError[]>) {
  const { values, set, discard } = useFields('entrance', {
    handle: '',
    displayName: '',
    email: '',
  });
  const kept = (name: keyof typeof values) => ({
    name,
    value: values[name],
    onChange: ({ target }: ChangeEvent<HTMLInputElement>) => set(name, target.value),
  });
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
      else discard();
    } catch (error) {
      setProblem({ message: explainThrown(error), fields: {} });
    } finally {
      setBusy(false);
    }
  };
  const onSubmit = (event: SubmitEvent<HTMLFormElement>) => void submit(event);
  return { busy, problem, kept, onSubmit };
}

export function LogInPage() {
  const session = useLogIn();
  const { busy, problem, kept, onSubmit } = useEntering((form) =>
    session.logIn({ handle: fieldOf(form, 'handle'), password: fieldOf(form, 'password') }),
  );
  return (
    <Page title={w.logIn}>
      <form className="entrance" onSubmit={onSubmit}>
        <Field
          label={more.handle}
          {...kept('handle')}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus
          problem={problem}
        />
        <PasswordField
          label={more.password}
          name="password"
          autoComplete="current-password"
          problem={problem}
        />
        <ProblemLine problem={problem} />
        <button type="submit" className="button button-wide" disabled={busy}>
          {busy ? more.loggingIn : w.logIn}
        </button>
        <p className="quiet">
          <Filled
            message={more.newHere}
            parts={[(words) => <Link to={elsewhere('/signup')}>{words}</Link>]}
          />
        </p>
      </form>
    </Page>
  );
}

export function SignUpPage() {
  const session = useLogIn();
  const { busy, problem, kept, onSubmit } = useEntering((form) =>
    session.signUp({
      handle: fieldOf(form, 'handle'),
      displayName: fieldOf(form, 'displayName'),
      email: fieldOf(form, 'email'),
      password: fieldOf(form, 'password'),
    }),
  );
  const unplaced = problem && Object.keys(problem.fields).length === 0 ? problem : null;
  return (
    <Page title={w.signUp}>
      <form className="entrance" onSubmit={onSubmit}>
        <Field
          label={more.name}
          {...kept('displayName')}
          autoComplete="name"
          maxLength={60}
          autoFocus
          problem={problem}
        />
        <Field
          label={more.handle}
          {...kept('handle')}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          pattern="[A-Za-z0-9_]{3,30}"
          hint={more.handleHint}
          problem={problem}
        />
        <Field
          label={more.email}
          {...kept('email')}
          type="email"
          autoComplete="email"
          maxLength={254}
          problem={problem}
        />
        <PasswordField
          label={more.password}
          name="password"
          autoComplete="new-password"
          minLength={8}
          hint={more.passwordHint}
          problem={problem}
        />
        <ProblemLine problem={unplaced} />
        <button type="submit" className="button button-wide" disabled={busy}>
          {busy ? more.signingUp : w.signUp}
        </button>
        <p className="quiet">
          <Filled
            message={more.hereAlready}
            parts={[(words) => <Link to={elsewhere('/login')}>{words}</Link>]}
          />
        </p>
      </form>
    </Page>
  );
}
