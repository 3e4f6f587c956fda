import { useQuery } from 'urql';
import { graphql, type ResultOf } from '../../shared/graphql';
import { useAction } from '../api/use-action';
import { Page } from '../parts/page';
import { Failed, ProblemLine, Skeletons } from '../parts/states';
import { NotificationWays } from './notification-groups';
import { more } from '../words';

const Preferences = graphql(`
  query NotificationPreferences { viewer { notificationPreferences { kind delivery } } }
`);

const Update = graphql(`
  mutation UpdateNotificationPreferences($preferences: [NotificationPreferenceInput!]!) {
    notificationPreferencesUpdate(input: { preferences: $preferences }) {
      preferences { kind delivery }
      userErrors { code message path }
    }
  }
`);

type Preference = NonNullable<
  NonNullable<ResultOf<typeof Preferences>['viewer']>['notificationPreferences']
>[number];

const CHOICES = ['EVERYBODY', 'FOLLOWED', 'NOBODY'] as const;

/** One that this page does not know yet is called as plaza calls it. */
const nameOf = (kind: string) =>
  more.kinds[kind] ?? kind.charAt(0) + kind.slice(1).toLowerCase().replaceAll('_', ' ');

export function NotificationPreferencesPage() {
  const [{ data, error, fetching }, ask] = useQuery({ query: Preferences });
  const preferences = data?.viewer?.notificationPreferences;
  return (
    <Page title={more.notificationPreferences}>
      <NotificationWays />
      <p className="lead">{more.preferencesWhy}</p>
      {preferences ? (
        <ul className="list" aria-label={more.preferences}>
          {preferences.map((preference) => (
            <PreferenceRow key={preference.kind} preference={preference} />
          ))}
        </ul>
      ) : fetching ? (
        <Skeletons count={4} />
      ) : (
        error && <Failed error={error} retry={() => ask({ requestPolicy: 'network-only' })} />
      )}
    </Page>
  );
}

function PreferenceRow({ preference: { kind, delivery } }: { preference: Preference }) {
  const { run, busy, problem } = useAction(Update);
  return (
    <li className="row">
      <div className="row-body">
        <p>
          <strong id={`kind-${kind}`}>{nameOf(kind)}</strong>
        </p>
        <div className="choices" role="group" aria-labelledby={`kind-${kind}`}>
          {CHOICES.map((choice) => (
            <button
              key={choice}
              type="button"
              className="chip"
              aria-pressed={delivery === choice}
              disabled={busy}
              onClick={() => void run({ preferences: [{ kind, delivery: choice }] })}
            >
              {more.deliveries[choice]}
            </button>
          ))}
        </div>
        <ProblemLine problem={problem} />
      </div>
    </li>
  );
}
