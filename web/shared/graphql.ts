import { initGraphQLTada } from 'gql.tada';
import type { introspection } from './graphql-env';

/** Writes a document whose answer and variables are typed by ../schema.graphql. */
export const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: { ID: string; DateTime: string };
}>();

export { readFragment } from 'gql.tada';
export type { FragmentOf, ResultOf, VariablesOf } from 'gql.tada';
