import type { ReactNode } from 'react';
import { graphql, readFragment, type FragmentOf } from '../../shared/graphql';
import { Link, paths } from '../router';
import { Avatar, FollowsYou } from './small';

export const PersonRowFragment = graphql(`
  fragment PersonRow on User {
    id handle displayName bio isPrivate isFollowingViewer viewerIsFollowing viewerHasRequestedToFollow
    avatar { id url(size: SMALL) }
  }
`);

/** A person where several are listed, and what can be done with them. */
export function PersonRow({
  person: masked,
  children,
}: {
  person: FragmentOf<typeof PersonRowFragment>;
  children?: ReactNode;
}) {
  const user = readFragment(PersonRowFragment, masked);
  const { handle, displayName, bio, avatar } = user;
  return (
    <li className="row row-person">
      <Avatar handle={handle} name={displayName} image={avatar} size="s" linked />
      <div className="row-body">
        <Link to={paths.person(handle)} className="byline">
          <strong>{displayName}</strong> <span className="quiet">@{handle}</span>
        </Link>
        <FollowsYou user={user} />
        {bio && <p className="quiet clipped">{bio}</p>}
      </div>
      {children}
    </li>
  );
}
