// What a Relay application would have: never run, only compiled.
import { graphql } from 'relay-runtime';

export const PostFragment = graphql`
  fragment feed_post on Post @refetchable(queryName: "feedPostRefetchQuery") {
    id
    text
    likeCount
    author { id handle }
    comments(first: 3) { edges { cursor node { id text } } }
  }
`;

export const HomeQuery = graphql`
  query feedHomeQuery($first: Int!, $after: String) {
    viewer {
      home(first: $first, after: $after) {
        edges { cursor node { ...feed_post } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`;

export const PeopleFragment = graphql`
  fragment feed_people on User
  @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" })
  @refetchable(queryName: "feedPeopleQuery") {
    followers(first: $first, after: $after) @connection(key: "feed_followers") {
      edges { node { id handle } }
    }
  }
`;

export const PostMutation = graphql`
  mutation feedPostCreateMutation($input: PostCreateInput!) {
    postCreate(input: $input) { post { ...feed_post } userErrors { code message path } }
  }
`;

export const HomeSubscription = graphql`
  subscription feedHomeSubscription($after: String) {
    homeUpdated(after: $after) { cursor node { ...feed_post } }
  }
`;

export const NodeQuery = graphql`
  query feedNodeQuery($id: ID!) {
    node(id: $id) { ... on Post { ...feed_post } ... on User { ...feed_people } }
  }
`;
