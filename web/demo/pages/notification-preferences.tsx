import { useQuery } from 'urql';
import { graphql, type ResultOf } from '../../shared/graphql';
import { useAction } from '../api/use-action';
import { Page } from '../parts/page';
import { Failed, ProblemLine, Skeletons } from '../parts/states';
import { NotificationWays } from './notification-groups';

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

/** What a kind is called here; one that this page does not know yet is called as plaza calls it. */
const NAMES: Record<string, string> = {
  FOLLOWED: 'New followers',
  FOLLOW_REQUESTED: 'Requests to follow you',
  FOLLOW_ACCEPTED: 'Accepted requests',
  LIKED: 'Likes',
  COMMENTED: 'Comments',
  MENTION: 'Mentions',
  REPLY: 'Replies to your comments',
  REPOST: 'Reposts',
  QUOTE: 'Quotes',
  ORDERED: 'Sales',
  ORDER_CONFIRMED: 'Confirmed orders',
  ORDER_REJECTED: 'Rejected orders',
  ORDER_REFUNDED: 'Refunds',
};

const CHOICES = { EVERYBODY: 'On', FOLLOWED: 'From people I follow', NOBODY: 'Off' } as const;

const nameOf = (kind: string) =>
  NAMES[kind] ?? kind.charAt(0) + kind.slice(1).toLowerCase().replaceAll('_', ' ');

export function NotificationPreferencesPage() {
  const [{ data, error, fetching }, ask] = useQuery({ query: Preferences });
  const preferences = data?.viewer?.notificationPreferences;
  return (
    <Page title="Notification preferences">
      <NotificationWays />
      <p className="lead">
        Choose what you are notified about. What you turn off is hidden, not deleted: turn it on
        again and it is back.
      </p>
      {preferences ? (
        <ul className="list" aria-label="Preferences">
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
          {(Object.keys(CHOICES) as (keyof typeof CHOICES)[]).map((choice) => (
            <button
              key={choice}
              type="button"
              className="chip"
              aria-pressed={delivery === choice}
              disabled={busy}
              onClick={() => void run({ preferences: [{ kind, delivery: choice }] })}
            >
              {CHOICES[choice]}
            </button>
          ))}
        </div>
        <ProblemLine problem={problem} />
      </div>
    </li>
  );
}
