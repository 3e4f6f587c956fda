// What graphql-js says to a request: why it would not run it, in the order parse, validate, variables, arguments.
import { GraphQLError, SingleFieldSubscriptionsRule, getNamedType, getVariableValues, isAbstractType, isCompositeType, parse, specifiedRules, validate } from 'graphql';
import { collectFields, collectSubfields } from 'graphql/execution/collectFields.js';
import { getArgumentValues } from 'graphql/execution/values.js';
import { SchemaMetaFieldDef, TypeMetaFieldDef, TypeNameMetaFieldDef } from 'graphql';

const NO_DATE_TIME = 'DateTime is RFC 3339, as in "2026-01-31T12:00:00Z".';
/** A subscription's root field whose directive is thrown at. */
export const LATE = 'Subscription must not use @skip or @include with a variable in the top level selection.';
// graphql-js stops at a hundred errors unless told otherwise; plaza reports all of them.
const ALL = { maxErrors: Infinity };
const TIME = /^\d{4}-(0[1-9]|1[0-2])-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** The schema with the scalars that plaza checks before it runs anything. */
export function checked(schema) {
  const time = schema.getType('DateTime');
  time.parseValue = (value) => {
    if (typeof value !== 'string' || !TIME.test(value)) throw new GraphQLError(`Expected type "DateTime". ${NO_DATE_TIME}`);
    return value;
  };
  time.parseLiteral = (node) => {
    if (node.kind !== 'StringValue' || !TIME.test(node.value)) throw new Error(NO_DATE_TIME);
    return node.value;
  };
  return schema;
}

function fieldOf(schema, parent, name) {
  if (name === '__typename') return TypeNameMetaFieldDef;
  if (parent === schema.getQueryType() && name === '__schema') return SchemaMetaFieldDef;
  if (parent === schema.getQueryType() && name === '__type') return TypeMetaFieldDef;
  return parent.getFields()[name];
}

// Where graphql-js differs (2): a directive of a subscription's root field that has no value before variables are known, or is malformed, is thrown instead of
// reported, over whatever else is wrong.
function valid(schema, document) {
  const others = validate(schema, document, specifiedRules.filter((rule) => rule !== SingleFieldSubscriptionsRule), ALL);
  try {
    const single = validate(schema, document, [SingleFieldSubscriptionsRule], ALL);
    return [...others, ...single];
  } catch {
    return others.length > 0 ? others : [new GraphQLError(LATE)];
  }
}

/** The errors, none for what would run. Arguments are coerced for every object that could be there. */
export function errors(schema, { query, operationName, variables }) {
  let document;
  try {
    document = parse(query);
  } catch (error) {
    return [error];
  }
  const invalid = valid(schema, document);
  if (invalid.length > 0) return invalid;
  const operations = document.definitions.filter((definition) => definition.kind === 'OperationDefinition');
  if (operationName == null && operations.length > 1) return [new GraphQLError('Must provide operation name if query contains multiple operations.')];
  const operation = operationName == null ? operations[0] : operations.find((known) => known.name?.value === operationName);
  if (!operation) return [new GraphQLError(`Unknown operation named "${operationName}".`)];
  const { coerced, errors: refused } = getVariableValues(schema, operation.variableDefinitions ?? [], variables ?? {}, { maxErrors: 50 });
  if (refused) return refused;
  const fragments = Object.fromEntries(document.definitions.filter((definition) => definition.kind === 'FragmentDefinition').map((fragment) => [fragment.name.value, fragment]));
  const found = [];
  const walk = (parent, fields) => {
    for (const nodes of fields.values()) {
      const field = fieldOf(schema, parent, nodes[0].name.value);
      try {
        getArgumentValues(field, nodes[0], coerced);
      } catch (error) {
        found.push(error);
      }
      const type = getNamedType(field.type);
      if (!isCompositeType(type)) continue;
      for (const object of isAbstractType(type) ? schema.getPossibleTypes(type) : [type]) walk(object, collectSubfields(schema, fragments, coerced, object, nodes));
    }
  };
  try {
    const root = schema.getRootType(operation.operation);
    walk(root, collectFields(schema, fragments, coerced, root, operation.selectionSet));
  } catch (error) {
    found.push(error);
  }
  return found;
}

/** A message as both say it: without suggestions, values on one line, one conflict like another. */
export function normal(message) {
  return message
    .replace(/ Did you mean [^{]*\?$/, '')
    .replace(/^Fields "[\s\S]* conflict because [\s\S]*$/, 'Fields conflict.')
    .replace(/^Subscription .*must not use [\s\S]*$|^Anonymous Subscription must not use .*$/, LATE)
    // (5) An object's fields are quoted in the order of their names, not as they were sent.
    .replace(/got invalid value [{[][\s\S]*; /, 'got invalid value; ')
    .replace(/\s+/g, ' ')
    .replace(/\( | \)|\{ | \}|\[ | \]/g, (found) => found.trim())
    .slice(0, 400);
}

/** What two lists of errors have in common is left out: `[{only: 'graphql-js' | 'plaza', message}]`. */
export function differences(theirs, ours) {
  // Bounds of plaza's own, which come before the rules.
  if (ours.some((error) => error.code.startsWith('QUERY_TOO_'))) return [];
  if (theirs.length === 0 || ours.length === 0) return theirs.length === ours.length ? [] : [{ only: theirs.length ? 'graphql-js' : 'plaza', message: (theirs[0] ?? ours[0]).message }];
  // Both name 100 problems at most, not the same ones.
  if (theirs.length >= 100 && ours.length >= 100) return [];
  // Where graphql-js differs (1): plaza reads no further than to the first definition of a type.
  if (/^The .* definition is not executable\.$/.test(ours[0].message)) return [];
  // Where graphql-js differs (3): it compares fields, and counts root fields, also where other rules are broken; plaza only where types are known and no
  // fragment contains itself.
  const late = (error) => /^Fields conflict|must select only one|must not select an intro|must not use/.test(normal(error.message));
  const early = (errors) => (errors.every(late) ? errors : errors.filter((error) => !late(error)));
  const told = (error) => {
    const message = normal(error.message);
    const place = error.locations?.[0];
    return late(error) || !place ? message : `${message} at ${place.line}:${place.column}`;
  };
  // Where graphql-js differs (4): it quotes block strings as such, and breaks long values into lines. What is quoted of them is not compared.
  const quoted = (message) => (/"""|\.\.\./.test(message) ? undefined : message);
  const [one, other] = [new Set(early(theirs).map(told)), new Set(early(ours).map(told))];
  if (one.size === other.size && [...one].some((message) => quoted(message) === undefined)) return [];
  return [
    ...[...one].filter((message) => !other.has(message)).map((message) => ({ only: 'graphql-js', message })),
    ...[...other].filter((message) => !one.has(message)).map((message) => ({ only: 'plaza', message })),
  ];
}
