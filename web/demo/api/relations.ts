import { graphql } from '../../shared/graphql';
import { toast } from '../live/toasts';
import { useAction } from './use-action';
import { w } from '../words';

const Block = graphql(`
  mutation Block($userId: ID!) {
    userBlock(input: { userId: $userId }) {
      user { id viewerIsBlocking isFollowingViewer viewerIsFollowing viewerHasRequestedToFollow }
      userErrors { code message path }
    }
  }
`);

const Unblock = graphql(`
  mutation Unblock($userId: ID!) {
    userUnblock(input: { userId: $userId }) { user { id viewerIsBlocking } userErrors { code message path } }
  }
`);

/** Blocking and its end, asked before and said after. */
export function useBlocking(): {
  block: (userId: string, handle: string) => void;
  unblock: (userId: string, handle: string) => void;
} {
  const block = useAction(Block, { aloud: true, durable: true });
  const unblock = useAction(Unblock, { aloud: true, durable: true });
  const end = async (userId: string, handle: string) => {
    if (await unblock.run({ userId })) toast('done', w.unblocked(handle));
  };
  const begin = async (userId: string, handle: string) => {
    if (!confirm(w.reallyBlock(handle))) return;
    if (await block.run({ userId }))
      toast('done', w.blocked(handle), {
        label: w.undo,
        run: () => void end(userId, handle),
      });
  };
  return {
    block: (userId, handle) => void begin(userId, handle),
    unblock: (userId, handle) => void end(userId, handle),
  };
}

/** Puts a link to a page of plaza's where it can be pasted. */
export async function copyLink(path: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(new URL(path, location.origin).href);
    toast('done', w.linkCopied);
  } catch {
    toast('failed', w.linkNotCopied);
  }
}
