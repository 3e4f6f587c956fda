import { useCallback, useRef, useState } from 'react';
import {
  useClient,
  useQuery,
  type AnyVariables,
  type CombinedError,
  type TypedDocumentNode,
} from 'urql';

interface Connection<Edge> {
  edges: readonly Edge[];
  pageInfo: { endCursor: string | null; hasNextPage: boolean };
}

export interface Pages<Data, Edge> {
  data: Data | undefined;
  edges: readonly Edge[] | undefined;
  /** Of the first page; data may be there beside it. */
  error: CombinedError | undefined;
  fetching: boolean;
  reload: () => void;
  hasMore: boolean;
  loadMore: () => void;
  loadingMore: boolean;
  moreError: CombinedError | undefined;
}

interface Options<Data, Variables, Edge> {
  query: TypedDocumentNode<Data, Variables>;
  /** Without `after`. */
  variables: Omit<Variables, 'after'>;
  connection: (data: Data) => Connection<Edge> | null | undefined;
  pause?: boolean;
}

/**
 * A list page by page. The component shows the first page's query; the cache's `pages` resolver puts what is loaded after it at its end, so that a
 * later page that fails takes nothing away.
 */
export function usePages<Data, Variables extends AnyVariables & { after?: string | null }, Edge>(
  options: Options<Data, Variables, Edge>,
): Pages<Data, Edge> {
  const { query, connection, pause = false } = options;
  const first = { ...options.variables, after: null } as unknown as Variables;
  const client = useClient();
  const [{ data, error, fetching }, execute] = useQuery<Data, Variables>({
    query,
    variables: first,
    pause,
  });
  const [more, setMore] = useState<{ loading: boolean; error?: CombinedError | undefined }>({
    loading: false,
  });
  const loading = useRef(false);
  const list = data ? connection(data) : undefined;
  const endCursor = list?.pageInfo.endCursor;

  const loadMore = async () => {
    if (loading.current || !endCursor) return;
    loading.current = true;
    setMore({ loading: true });
    const result = await client
      .query<Data, Variables>(query, { ...first, after: endCursor })
      .toPromise();
    loading.current = false;
    setMore({ loading: false, error: result.data ? undefined : result.error });
  };

  const reload = useCallback(() => execute({ requestPolicy: 'network-only' }), [execute]);
  return {
    data,
    edges: list?.edges,
    error,
    fetching: fetching || pause,
    reload,
    hasMore: list?.pageInfo.hasNextPage ?? false,
    loadMore: () => void loadMore(),
    loadingMore: more.loading,
    moreError: more.error,
  };
}
