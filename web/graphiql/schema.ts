import { buildSchema, type GraphQLSchema } from 'graphql';

/**
 * plaza's schema, from where it is published: a plaza that is not for development refuses
 * introspection. Undefined where it cannot be had, which lets GraphiQL introspect.
 */
export async function publishedSchema(): Promise<GraphQLSchema | undefined> {
  try {
    const response = await fetch('/schema.graphql');
    return response.ok ? buildSchema(await response.text()) : undefined;
  } catch {
    return undefined;
  }
}
