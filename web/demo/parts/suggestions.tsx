import { useQuery } from 'urql';
import { graphql, readFragment } from '../../shared/graphql';
import { useMe } from '../me';
import { FollowButton } from './follow-button';
import { PersonRow, PersonRowFragment } from './person-row';
import { more } from '../words';

const Sellers = graphql(
  `
    query Sellers { products(first: 40) { edges { cursor node { id seller { id ...PersonRow } } } pageInfo { endCursor hasNextPage } } }
  `,
  [PersonRowFragment],
);

const MOST = 5;

/** People to begin with: those who lately offered something, whom one does not follow yet. */
export function Suggestions() {
  const me = useMe();
  const [{ data }] = useQuery({ query: Sellers });
  const people = new Map(
    (data?.products?.edges ?? []).flatMap(({ node: { seller } }) =>
      seller ? [[seller.id, seller] as const] : [],
    ),
  );
  const shown = [...people.values()]
    .filter(
      (person) =>
        person.id !== me?.userId && !readFragment(PersonRowFragment, person).viewerIsFollowing,
    )
    .slice(0, MOST);
  if (shown.length === 0) return null;
  return (
    <section className="suggestions" aria-labelledby="suggestions">
      <h2 id="suggestions">{me ? more.peopleToFollow : more.peopleOnPlaza}</h2>
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
