import { readFragment, type FragmentOf } from '../../shared/graphql';
import { useMe } from '../me';
import { FollowButton } from './follow-button';
import { PersonRow, PersonRowFragment } from './person-row';

/** A person in a list, to be followed there, unless it is the viewer. */
export function PersonToFollow({ person }: { person: FragmentOf<typeof PersonRowFragment> }) {
  const me = useMe();
  const user = readFragment(PersonRowFragment, person);
  return (
    <PersonRow person={person}>{user.id !== me?.userId && <FollowButton user={user} />}</PersonRow>
  );
}
