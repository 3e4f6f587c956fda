// Requests out of the schema, by a seed: well-formed ones, and ones with every kind of mistake. The same seed makes the same requests.
import { getNamedType, isAbstractType, isCompositeType, isEnumType, isInputObjectType, isLeafType, isListType, isNonNullType } from 'graphql';

/** Numbers by a seed (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const below = (count) => Math.floor(next() * count);
  return { chance: (odds) => next() < odds, below, pick: (list) => list[below(list.length)] };
}

const STRINGS = [
  '', 'plain', 'two words', 'é', '😀', 'tab\there', 'quote " in it', 'back \\ slash', 'a\nb', '\u0000', '\u007f', '\u2028', '\ufeff', 'x'.repeat(200),
];
// Literals as they are written, some of them no strings.
const WRITTEN = [
  '""', '"plain"', '"\\uD83D\\uDE00"', '"\\u{1F600}"', '"\\u00e9\\u00E9"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"é😀"', '"# no comment"', '"{ [ ("',
  '"""block"""', '"""\n    indented\n      more\n    """', '"""say \\""" now"""', '""" " """', '"""a\r\nb\rc"""', '"""\\u00e9"""', '""""""',
];
const MISWRITTEN = [
  '"\\x"', '"\\u12"', '"\\u12G4"', '"\\uD83D"', '"\\uD83D\\u0041"', '"\\uDE00"', '"\\u{}"', '"\\u{110000}"', '"\\u{D800}"', '"\\u{1F600"', '"\\u{000000041}"',
  '"open', '"a\nb"', '"""open', '"""open""', "'single'", '"\\', '"tail\\"',
];
const INTS = ['0', '-0', '1', '-1', '20', '2147483647', '-2147483648', '2147483648', '-2147483649', '99999999999999999999'];
const FLOATS = ['0.0', '1.5', '-1.5e3', '1E-5', '1e+5', '123456.789'];
const MISCOUNTED = ['00', '01', '-01', '1.', '.5', '1e', '1e+', '-', '+1', '1a', '0x1F', '1.2.3', '1_000', '--1'];
const JSON_NUMBERS = [0, -0, 1, -1, 1.5, 1e3, 20, 2147483647, -2147483648, 2147483648, -2147483649, 9007199254740991, 1.0];
const TIMES = ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.123+02:00'];
const NO_TIMES = ['yesterday', '2026-13-01T00:00:00Z', '', '12:00', '-5000-01-01T00:00:00Z', '+12345-01-01T00:00:00Z', ' 2026-1-31 1:2:3Z',
  '2026-01-31T12:00:00'];
const STRAY = ['{', '}', '(', ')', '[', ']', ':', '!', '$', '@', '...', '=', '|', '&', ',', '#', '.', '..', '"', '%', '\u00a0', '\ufeff', 'on', 'fragment', 'query',
  'mutation', 'subscription', 'null', 'true', 'type', 'extend', '"described"', '\r', '\n', '@skip', '@include(if: true)', '$v0', 'é', '\u0007'];

/** A generator of requests to a schema. */
export class Requests {
  /** `known`: literals that lead to something, by the argument's name. `only`: a kind of operation, well-formed. */
  constructor(schema, seed, { known = {}, only } = {}) {
    Object.assign(this, { schema, known, only });
    this.random = random(seed);
    this.composites = Object.values(schema.getTypeMap()).filter((type) => isCompositeType(type) && !type.name.startsWith('__'));
  }

  /** The next request: `{query, operationName?, variables}`. */
  next() {
    const { random } = this;
    // How often something is wrong on purpose: mostly never, so that most of what is made is valid.
    this.wild = this.only ? 0 : random.pick([0, 0, 0, 0, 0.01, 0.03, 0.1]);
    // Wrong values to a text that is right.
    this.wrong = !this.only && this.wild === 0 && random.chance(0.3) ? random.pick([0.03, 0.2]) : this.wild;
    this.fragments = [];
    this.fields = 40;
    const count = this.only || random.chance(0.85) ? 1 : 2 + random.below(2);
    const operations = [];
    const variables = {};
    for (let number = 0; number < count; number += 1) operations.push(this.operation(number, count, variables));
    const parts = [...operations.map((operation) => operation.text), ...this.fragments.filter((fragment) => fragment.text).map((fragment) => fragment.text)];
    if (random.chance(0.3)) parts.reverse();
    if (this.oops()) parts.push(random.pick(['type Made { up: Int }', 'extend type Query { made: Int }', 'fragment unused on Query { __typename }', parts[0], 'scalar Made', 'schema { query: Query }']));
    let query = parts.join(random.pick(['\n', ' ', '\r\n', '\n# é comment\n']));
    if (!this.only && random.chance(0.12)) query = this.mangled(query);
    const request = { query, variables };
    const names = operations.map((operation) => operation.name).filter(Boolean);
    if ((count > 1 ? !this.oops() : random.chance(0.3)) && names.length > 0) request.operationName = random.pick(names);
    if (this.oops()) request.operationName = random.pick(['missing', 'q0']);
    if (request.operationName === undefined) delete request.operationName;
    return request;
  }

  // Whether to make a mistake in the text here.
  oops() {
    return this.wild > 0 && this.random.chance(this.wild);
  }

  // Whether to make a mistake in a value here.
  slip() {
    return this.wrong > 0 && this.random.chance(this.wrong);
  }

  operation(number, count, variables) {
    const { random } = this;
    const kind = this.only ?? random.pick(['query', 'query', 'query', 'query', 'mutation', 'mutation', 'subscription']);
    const root = { query: this.schema.getQueryType(), mutation: this.schema.getMutationType(), subscription: this.schema.getSubscriptionType() }[kind];
    this.variables = new Map();
    this.kind = kind;
    const selections = this.selections(root, 0);
    const directives = this.directives(kind.toUpperCase());
    let definitions = [...this.variables.values()];
    if (this.oops()) definitions = definitions.slice(1);
    if (this.oops()) definitions.push({ name: 'spare', text: '$spare: Int', value: () => undefined });
    if (this.oops() && definitions.length > 0) definitions.push(definitions[0]);
    for (const definition of definitions) {
      const value = definition.value();
      if (value !== undefined) variables[definition.name] = value;
    }
    if (this.slip()) variables.nobodys = 1;
    const named = count > 1 ? !this.oops() : random.chance(0.6);
    const name = named ? `${this.oops() ? 'same' : kind[0]}${this.oops() ? 0 : number}` : undefined;
    const takes = definitions.length > 0 ? `(${definitions.map((definition) => definition.text).join(random.pick([', ', ' ']))})` : '';
    const bare = kind === 'query' && !name && !takes && !directives && random.chance(0.7);
    const described = !bare && random.chance(0.05) ? '"what it is for" ' : '';
    return { name, text: bare ? selections : `${described}${kind} ${name ?? ''}${takes}${directives} ${selections}` };
  }

  selections(type, depth) {
    const { random } = this;
    const single = depth === 0 && this.kind === 'subscription' && !this.oops();
    const wanted = single ? 1 : 1 + random.below(depth === 0 ? 3 : 4);
    const chosen = [];
    // Mostly no response key is asked for in two ways; aliases of their own see to that.
    this.careful = !random.chance(0.12);
    for (let number = 0; number < wanted; number += 1) chosen.push(this.selection(type, depth, single));
    // The same response key again, alike or not.
    if (!single && random.chance(0.2)) chosen.push(random.chance(0.7) ? random.pick(chosen) : this.selection(type, depth, single));
    if (this.oops() && random.chance(0.1)) chosen.length = 0;
    // Whoever compares answers has to know what each object is.
    if (this.only && isAbstractType(type)) chosen.push('typed__: __typename');
    return `{ ${chosen.join(random.pick([' ', ', ', '\n']))} }`;
  }

  selection(type, depth, single) {
    const { random } = this;
    if (this.oops()) return random.pick(['missing', '...nowhere', '... on Missing { id }', '... on Int { id }', '__typename', '__schema { queryType { name } }']);
    if (!single && depth < 6 && random.chance(isAbstractType(type) ? 0.5 : 0.15)) return this.fragment(type, depth);
    const fields = Object.values(type.getFields?.() ?? {});
    if (!single && (fields.length === 0 || random.chance(0.06))) return random.chance(0.5) ? '__typename' : 'typed: __typename';
    if (!single && !this.only && type === this.schema.getQueryType() && random.chance(0.03)) return random.pick(['__schema { types { name } }', '__type(name: "Post") { fields { name } }', '__schema { types { fields { type { fields { type { fields { name } } } } } } }']);
    this.fields -= 1;
    const leaves = fields.filter((field) => isLeafType(getNamedType(field.type)));
    const field = (depth > 5 || this.fields < 0) && leaves.length > 0 ? random.pick(leaves) : random.pick(fields);
    const named = getNamedType(field.type);
    const careful = this.careful;
    const given = this.arguments(field.args);
    this.aliases = (this.aliases ?? 0) + 1;
    let alias = random.chance(0.15) ? `${random.pick(['a', 'b', 'id', 'text', 'nodes'])}: ` : '';
    if (careful && (alias || given || random.chance(0.2))) alias = `n${this.aliases}: `;
    const inner = isCompositeType(named) !== this.oops() ? (depth > 9 ? ' { __typename }' : ` ${this.selections(named.getFields ? named : type, depth + 1)}`) : '';
    return `${alias}${field.name}${given}${single ? '' : this.directives('FIELD')}${inner}`;
  }

  fragment(type, depth) {
    const { random } = this;
    const possible = isAbstractType(type) ? this.schema.getPossibleTypes(type) : [type, ...(type.getInterfaces?.() ?? [])];
    let on = this.oops() ? random.pick(this.composites) : random.pick([type, ...possible]);
    if (random.chance(0.5)) {
      const condition = on === type && random.chance(0.5) ? '' : ` on ${on.name}`;
      return `...${condition}${this.directives('INLINE_FRAGMENT')} ${this.selections(on, depth + 1)}`;
    }
    const known = this.fragments.filter((fragment) => fragment.on === on && (fragment.text || this.oops()));
    if (known.length > 0 && random.chance(0.6)) return `...${random.pick(known).name}${this.directives('FRAGMENT_SPREAD')}`;
    const fragment = { name: `f${this.fragments.length}`, on };
    this.fragments.push(fragment);
    const selections = this.selections(on, depth + 1);
    fragment.text = `fragment ${fragment.name} on ${this.oops() ? 'Missing' : on.name}${this.oops() ? ' @skip(if: true)' : ''} ${selections}`;
    return `...${fragment.name}${this.directives('FRAGMENT_SPREAD')}`;
  }

  directives(place) {
    const { random } = this;
    if (this.oops()) return random.pick([' @missing', ' @skip', ' @include(if: 1)', ' @skip(if: true) @skip(if: false)', ' @skip(unless: true, if: false)', ' @specifiedBy(url: "x")', ' @deprecated']);
    if (!['FIELD', 'INLINE_FRAGMENT', 'FRAGMENT_SPREAD'].includes(place) || random.chance(0.88)) return '';
    const condition = this.value(this.schema.getDirective('skip').args[0].type, 0, false);
    return ` @${random.pick(['skip', 'include'])}(if: ${condition})`;
  }

  arguments(known) {
    const { random } = this;
    const given = [];
    for (const argument of known) {
      const required = isNonNullType(argument.type) && argument.defaultValue === undefined;
      if (required ? this.oops() : random.chance(0.5)) continue;
      const known = this.known[argument.name];
      const value = known && random.chance(0.8) ? random.pick(known) : this.value(argument.type, 0, argument.defaultValue !== undefined);
      given.push(`${argument.name}: ${value}`);
    }
    if (this.oops()) given.push('missing: 1');
    if (this.oops() && given.length > 0) given.push(given[0]);
    return given.length > 0 ? `(${given.join(random.pick([', ', ' ']))})` : this.oops() && random.chance(0.1) ? '()' : '';
  }

  // A literal of a type, or a variable.
  value(type, depth, hasDefault) {
    const { random } = this;
    if (random.chance(0.3)) return this.variable(type, hasDefault);
    return this.literal(type, depth, true);
  }

  literal(type, depth, variables) {
    const { random } = this;
    if (this.oops()) return random.pick(random.chance(0.1) ? [...MISWRITTEN, ...MISCOUNTED] : ['null', 'WRONG', '{}', '[]', '[null]', '{ a: 1, a: 2 }', '[[1]]', '1', '"1"', 'true', '$undefined', '1.5']);
    if (isNonNullType(type)) return this.literal(type.ofType, depth, variables);
    if (random.chance(0.05) && depth >= 0 && !this.strict) return this.nullable(type, depth, variables);
    if (isListType(type)) {
      if (random.chance(0.2)) return this.literal(type.ofType, depth, variables);
      const items = Array.from({ length: random.below(4) }, () => (variables ? this.value(type.ofType, depth + 1, false) : this.literal(type.ofType, depth + 1, false)));
      return `[${items.join(', ')}]`;
    }
    if (isInputObjectType(type)) {
      const fields = [];
      for (const field of Object.values(type.getFields())) {
        const required = isNonNullType(field.type) && field.defaultValue === undefined;
        if (required ? this.oops() : random.chance(0.6)) continue;
        const value = variables && random.chance(0.3) ? this.variable(field.type, field.defaultValue !== undefined) : this.literal(field.type, depth + 1, variables);
        fields.push(`${field.name}: ${value}`);
      }
      if (this.oops()) fields.push('missing: 1');
      if (this.oops() && fields.length > 0) fields.push(fields[0]);
      return `{${fields.join(', ')}}`;
    }
    if (isEnumType(type)) return random.pick(type.getValues()).name;
    if (type.name === 'Int') return this.wild > 0 ? random.pick(INTS) : random.pick(INTS.slice(0, 7));
    if (type.name === 'Float') return random.pick([...FLOATS, ...INTS]);
    if (type.name === 'Boolean') return random.pick(['true', 'false']);
    if (type.name === 'DateTime') return JSON.stringify(random.pick(this.oops() ? NO_TIMES : TIMES));
    return type.name === 'ID' && random.chance(0.3) ? random.pick(INTS) : random.pick(WRITTEN);
  }

  // `null`, where that is fine.
  nullable(type, depth, variables) {
    this.strict = true;
    const literal = this.literal(type, depth, variables);
    this.strict = false;
    return this.allowNull ? 'null' : literal;
  }

  variable(type, hasDefault) {
    const { random } = this;
    let text = String(type);
    if (this.oops()) text = random.pick(['Int', 'String!', '[ID!]', 'Missing', 'Post', `[${text}]`, text.replace(/!$/, '')]);
    else if (isNonNullType(type) && hasDefault && random.chance(0.5)) text = text.replace(/!$/, '');
    else if (!isNonNullType(type) && random.chance(0.3)) text += '!';
    const strict = text.endsWith('!');
    let initial = '';
    if (random.chance(0.2) || (isNonNullType(type) && !strict && !hasDefault)) initial = ` = ${this.literal(type, 0, false)}`;
    const same = [...this.variables.values()].filter((known) => known.type === text && known.initial === initial);
    if (same.length > 0 && random.chance(0.5)) return `$${random.pick(same).name}`;
    // Fragments are shared by operations: names do not repeat.
    this.named = (this.named ?? 0) + 1;
    const name = `v${this.named}`;
    const directives = this.oops() ? ' @skip(if: true)' : '';
    const described = random.chance(0.03) ? '"described" ' : '';
    const definition = { name, type: text, initial, text: `${described}$${name}: ${text}${initial}${directives}` };
    definition.value = () => {
      if ((!strict || initial) ? random.chance(0.3) : this.slip()) return undefined;
      if ((!strict && random.chance(0.15)) || this.slip()) return null;
      return this.json(type, 0);
    };
    this.variables.set(name, definition);
    return `$${name}`;
  }

  // A variable's value of a type.
  json(type, depth) {
    const { random } = this;
    if (this.slip()) return random.pick([null, 'WRONG', '', {}, [], [null], { missing: 1 }, 1, 1.5, true, [[1]], 2147483648, { a: { b: { c: { d: 1 } } } }, Array.from({ length: 12 }, (_, at) => at)]);
    if (isNonNullType(type)) return this.json(type.ofType, depth);
    if (depth > 0 && random.chance(0.05) && this.wrong > 0) return null;
    if (isListType(type)) {
      if (random.chance(0.2)) return this.json(type.ofType, depth);
      return Array.from({ length: random.below(4) }, () => this.json(type.ofType, depth + 1));
    }
    if (isInputObjectType(type)) {
      const object = {};
      for (const field of Object.values(type.getFields())) {
        const required = isNonNullType(field.type) && field.defaultValue === undefined;
        if (required ? this.slip() : random.chance(0.6)) continue;
        object[field.name] = this.json(field.type, depth + 1);
      }
      if (this.slip()) object.missing = 1;
      return object;
    }
    if (isEnumType(type)) return random.pick(type.getValues()).name;
    if (type.name === 'Int') return this.wrong > 0 ? random.pick(JSON_NUMBERS) : random.pick([0, 1, -1, 20, 2147483647, 1.0]);
    if (type.name === 'Float') return random.pick(JSON_NUMBERS);
    if (type.name === 'Boolean') return random.chance(0.5);
    if (type.name === 'DateTime') return random.pick(this.slip() ? NO_TIMES : TIMES);
    return type.name === 'ID' && random.chance(0.3) ? random.pick([0, 7, 2147483648, 1.0]) : random.pick(STRINGS);
  }

  // The text with a token or two that are not as they were.
  mangled(query) {
    const { random } = this;
    const tokens = query.match(/"""[\s\S]*?"""|"(?:[^"\\\n]|\\.)*"|\.\.\.|[A-Za-z_0-9.$@-]+|\s+|[\s\S]/g) ?? [query];
    for (let times = 1 + random.below(2); times > 0; times -= 1) {
      const at = random.below(tokens.length);
      const kind = random.below(5);
      if (kind === 0) tokens.splice(at, 1);
      else if (kind === 1) tokens.splice(at, 0, tokens[at]);
      else if (kind === 2) tokens.splice(at, 0, random.pick([...STRAY, ...MISWRITTEN, ...MISCOUNTED]));
      else if (kind === 3) tokens[at] = random.pick(STRAY);
      else [tokens[at], tokens[random.below(tokens.length)]] = [random.pick(tokens), tokens[at]];
    }
    if (random.chance(0.1)) tokens.length = random.below(tokens.length);
    return tokens.join('');
  }
}
