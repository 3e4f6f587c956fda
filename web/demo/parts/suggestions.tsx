import { useRef } from 'react';
import { useQuery } from 'urql';
import { useAction } from '../api/use-action';
import { graphql, readFragment, type ResultOf } from '../../shared/graphql';
import { useMe } from '../me';
import { Follow, FollowButton } from './follow-button';
import { PersonRow, PersonRowFragment } from './person-row';
import { more } from '../words';

const Sellers = graphql(
  `
    query Sellers { products(first: 40) { edges { cursor node { id seller { id ...PersonRow } } } pageInfo { endCursor hasNextPage } } }
  `,
  [PersonRowFragment],
);

const MOST = 5;

type Person = ReturnType<typeof sellersOf>[number];

/** Everybody who lately offered something, once. */
function sellersOf(data: ResultOf<typeof Sellers>) {
  const sellers = (data.products?.edges ?? []).flatMap(({ node: { seller } }) => seller ?? []);
  return [...new Map(sellers.map((seller) => [seller.id, seller])).values()];
}

/** Whether somebody follows them, or has asked to. */
function isFollowed(person: Person): boolean {
  const { viewerIsFollowing, viewerHasRequestedToFollow } = readFragment(PersonRowFragment, person);
  return (viewerIsFollowing ?? false) || (viewerHasRequestedToFollow ?? false);
}

/** People to begin with: those who lately offered something, whom one does not follow yet. */
export function Suggestions() {
  const me = useMe();
  const [{ data }] = useQuery({ query: Sellers });
  const people = data ? sellersOf(data) : [];
  // Who was shown stays: a list that moves under the finger is a bad list.
  const chosen = useRef<ReadonlySet<string>>(null);
  if (data && !chosen.current) {
    const strange = people.filter((person) => person.id !== me?.userId && !isFollowed(person));
    chosen.current = new Set(strange.slice(0, MOST).map(({ id }) => id));
  }
  const shown = people.filter(({ id }) => chosen.current?.has(id));
  if (shown.length === 0) return null;
  return (
    <section className="suggestions" aria-labelledby="suggestions">
      <header className="suggestions-head">
        <h2 id="suggestions">{me ? more.peopleToFollow : more.peopleOnPlaza}</h2>
        {me && <FollowAll people={shown} />}
      </header>
      <ul className="list">
        {shown.map((person) => (
          <PersonRow key={person.id} person={person}>
            <FollowButton user={readFragment(PersonRowFragment, person)} />
          </PersonRow>
        ))}
      </ul>
    </section>
  );
}

function FollowAll({ people }: { people: readonly Person[] }) {
  const { run } = useAction(Follow, { aloud: true, durable: true });
  const left = people.filter((person) => !isFollowed(person));
  // One after the other, in the queue; a single one has a button of their own.
  const follow = () => left.forEach(({ id }) => void run({ userId: id }));
  if (people.length < 2) return null;
  return (
    <button
      type="button"
      className="button button-quiet"
      disabled={left.length === 0}
      onClick={follow}
    >
      {more.followAll}
    </button>
  );
}
