import { useQuery } from 'urql';
import { graphql, type ResultOf } from '../../shared/graphql';
import { useAction } from '../api/use-action';
import { toast } from '../live/toasts';
import { useLogIn } from '../me';
import { Filled } from '../parts/filled';
import { fullTime } from '../parts/format';
import { Page } from '../parts/page';
import { Ago, BackHeader } from '../parts/small';
import { Failed, ProblemLine, Skeletons } from '../parts/states';
import { more } from '../words';

const Sessions = graphql(`
  query Sessions { viewer { sessions { id createdAt lastUsedAt expiresAt userAgent isCurrent } } }
`);

const Revoke = graphql(`
  mutation RevokeSession($sessionId: ID!) {
    sessionRevoke(input: { sessionId: $sessionId }) { revoked userErrors { code message path } }
  }
`);

const RevokeOthers = graphql(`
  mutation RevokeOtherSessions {
    sessionRevokeOthers { revokedCount userErrors { code message path } }
  }
`);

type Shown = NonNullable<NonNullable<ResultOf<typeof Sessions>['viewer']>['sessions']>[number];

export function SessionsPage() {
  // Others come and go without this page being told.
  const [{ data, error, fetching }, ask] = useQuery({
    query: Sessions,
    requestPolicy: 'cache-and-network',
  });
  const sessions = data?.viewer?.sessions;
  return (
    <Page title={more.sessions} hideTitle>
      <BackHeader title={more.sessions} to="/settings" />
      <p className="lead">{more.sessionsWhy}</p>
      {sessions ? (
        <>
          <ul className="list" aria-label={more.sessions}>
            {sessions.map((session) => (
              <SessionRow key={session.id} session={session} />
            ))}
          </ul>
          <EndOthers others={sessions.filter(({ isCurrent }) => !isCurrent).length} />
        </>
      ) : fetching ? (
        <Skeletons count={2} />
      ) : (
        error && <Failed error={error} retry={() => ask({ requestPolicy: 'network-only' })} />
      )}
    </Page>
  );
}

function SessionRow({ session }: { session: Shown }) {
  const logIn = useLogIn();
  const { run, busy, problem } = useAction(Revoke);
  const end = () => (session.isCurrent ? logIn.logOut() : run({ sessionId: session.id }));
  return (
    <li className="row">
      <div className="row-body">
        <p>
          <strong>{clientOf(session.userAgent)}</strong>
          {session.isCurrent && <span className="badge">{more.thisSession}</span>}
        </p>
        <p className="quiet">
          <Filled
            message={more.since(fullTime(session.createdAt))}
            parts={[() => <Ago time={session.lastUsedAt} told />]}
          />
        </p>
        <ProblemLine problem={problem} />
      </div>
      <button
        type="button"
        className="button button-quiet"
        disabled={busy}
        onClick={() => void end()}
      >
        {session.isCurrent ? more.logOut : more.end}
      </button>
    </li>
  );
}

/** For who has lost a device, or does not know what is in the list. */
function EndOthers({ others }: { others: number }) {
  const { run, busy, problem } = useAction(RevokeOthers);
  const end = async () => {
    const count = (await run({}))?.sessionRevokeOthers?.revokedCount;
    if (count !== undefined) toast('done', more.endedOthers(count));
  };
  if (others === 0) return null;
  return (
    <div className="list-foot">
      <button
        type="button"
        className="button button-quiet"
        disabled={busy}
        onClick={() => void end()}
      >
        {more.endOthers}
      </button>
      <ProblemLine problem={problem} />
    </div>
  );
}

/** What a client is, from what it calls itself. */
function clientOf(userAgent: string | null): string {
  if (!userAgent) return more.unnamedClient;
  const browser = /(Firefox|Edg|OPR|Chrome|Version)\/(\d+)/.exec(userAgent);
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/
    .exec(userAgent)?.[1]
    ?.replace('Mac OS X', 'macOS');
  if (!browser || !userAgent.startsWith('Mozilla/')) return userAgent.slice(0, 60);
  const names: Record<string, string> = { Edg: 'Edge', OPR: 'Opera', Version: 'Safari' };
  const name = names[browser[1] ?? ''] ?? browser[1];
  const named = `${name} ${browser[2]}`;
  return system ? more.clientOn(named, system) : named;
}
