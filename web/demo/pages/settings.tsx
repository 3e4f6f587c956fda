import { useState, type SubmitEvent } from 'react';
import { useQuery } from 'urql';
import { useFields } from '../api/fields';
import { useAction } from '../api/use-action';
import { graphql, type ResultOf } from '../../shared/graphql';
import { toast } from '../live/toasts';
import { useLogIn } from '../me';
import { Field } from '../parts/form';
import { Page } from '../parts/page';
import { Failed, ProblemLine, Skeletons } from '../parts/states';
import { Link, paths } from '../router';
import { chooseTheme, chosenTheme, type Theme } from '../theme';
import { chooseLanguage, LANGUAGES, useLanguage, more, w } from '../words';
import '../style/forms.css';

const Own = graphql(`
  query OwnProfile { viewer { user { id handle displayName bio isPrivate } } }
`);

const Save = graphql(`
  mutation SaveProfile($input: ProfileUpdateInput!) {
    profileUpdate(input: $input) { user { id displayName bio isPrivate } userErrors { code message path } }
  }
`);

type User = NonNullable<NonNullable<ResultOf<typeof Own>['viewer']>['user']>;

/** Who one is here, who sees it, and how it looks. */
export function SettingsPage() {
  const session = useLogIn();
  const [{ data, error, fetching }, ask] = useQuery({
    query: Own,
    requestPolicy: 'cache-and-network',
  });
  const user = data?.viewer?.user;
  return (
    <Page title={w.settings}>
      {user ? (
        <ProfileForm key={user.id} user={user} />
      ) : fetching ? (
        <Skeletons count={2} />
      ) : (
        error && <Failed error={error} retry={() => ask({ requestPolicy: 'network-only' })} />
      )}
      <Appearance />
      <Languages />
      <section className="setting" aria-labelledby="account">
        <h2 id="account">{more.account}</h2>
        <ul className="links">
          <li>
            <Link to="/notifications/preferences">{more.notificationPreferences}</Link>
          </li>
          <li>
            <Link to="/requests">{more.followRequests}</Link>
          </li>
          <li>
            <Link to="/settings/blocked">{more.blockedPeople}</Link>
          </li>
          <li>
            <Link to="/sessions">{more.sessions}</Link>
          </li>
          <li>
            <Link to="/analytics">{w.analytics}</Link>
          </li>
        </ul>
        <button type="button" className="button button-quiet" onClick={() => void session.logOut()}>
          {more.logOut}
        </button>
      </section>
    </Page>
  );
}

const BIO = 500;

function ProfileForm({ user }: { user: User }) {
  const { run, busy, problem } = useAction(Save);
  const { values, isChanged, set, taken, discard } = useFields('profile', {
    displayName: user.displayName,
    bio: user.bio,
  });
  const left = BIO - Array.from(values.bio).length;
  const save = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const isPrivate = new FormData(event.currentTarget).get('isPrivate') === 'on';
    if (!(await run({ input: { ...values, isPrivate } }))) return;
    taken(values);
    toast('done', more.profileSaved, {
      label: w.view,
      run: () => location.assign(paths.person(user.handle)),
    });
  };
  return (
    <section className="setting" aria-labelledby="profile">
      <h2 id="profile">{w.profile}</h2>
      <form className="form" onSubmit={(event) => void save(event)}>
        <Field
          label={more.name}
          name="displayName"
          value={values.displayName}
          onChange={({ target }) => set('displayName', target.value)}
          maxLength={60}
          autoComplete="name"
          problem={problem}
        />
        <label className="field">
          <span>{more.bio}</span>
          <textarea
            name="bio"
            rows={4}
            value={values.bio}
            aria-invalid={left < 0}
            aria-describedby="bio-said"
            onChange={({ target }) => set('bio', target.value)}
          />
          <small id="bio-said" className={left < 0 || problem?.fields['bio'] ? 'problem' : 'quiet'}>
            {problem?.fields['bio'] ?? more.charactersLeft(left)}
          </small>
        </label>
        <label className="check">
          <input
            type="checkbox"
            name="isPrivate"
            defaultChecked={user.isPrivate}
            aria-describedby="private-said"
          />
          <span>{more.privateAccountCheck}</span>
        </label>
        <p id="private-said" className="quiet">
          {more.privateAccountWhy}
        </p>
        <ProblemLine problem={problem} />
        <div className="buttons">
          <button type="submit" className="button" disabled={busy || left < 0}>
            {busy ? more.saving : more.saveProfile}
          </button>
          {isChanged && (
            <button type="button" className="button button-quiet" onClick={discard}>
              {more.discard}
            </button>
          )}
        </div>
        {isChanged && <p className="quiet">{more.unsaved}</p>}
      </form>
    </section>
  );
}

const THEMES: readonly Theme[] = ['auto', 'light', 'dark'];

export function Appearance() {
  const [theme, setTheme] = useState(chosenTheme);
  const choose = (next: Theme) => {
    chooseTheme(next);
    setTheme(next);
  };
  return (
    <section className="setting" aria-labelledby="appearance">
      <h2 id="appearance">{more.appearance}</h2>
      <div className="choices" role="group" aria-labelledby="appearance">
        {THEMES.map((each) => (
          <button
            key={each}
            type="button"
            className="chip"
            aria-pressed={theme === each}
            onClick={() => choose(each)}
          >
            {more.themes[each]}
          </button>
        ))}
      </div>
    </section>
  );
}

/** Each by the name that its own speakers know it by. */
export function Languages() {
  const shown = useLanguage();
  return (
    <section className="setting" aria-labelledby="language">
      <h2 id="language">{more.language}</h2>
      <div className="choices" role="group" aria-labelledby="language">
        {Object.entries(LANGUAGES).map(
          ([language, { name }]) =>
            name && (
              <button
                key={language}
                type="button"
                className="chip"
                lang={language}
                aria-pressed={shown === language}
                onClick={() =>
                  void chooseLanguage(language).catch(() => toast('failed', w.notLoadedShort))
                }
              >
                {name}
              </button>
            ),
        )}
      </div>
    </section>
  );
}
