import type { TadaDocumentNode } from 'gql.tada';
import { stringifyDocument } from '@urql/core';
import { ENDPOINT, plazaFetch } from './http';
import { IDEMPOTENCY_KEY, newKey } from './idempotency';

/** An answer's top-level error. */
export interface GraphQLFailure {
  message: string;
  extensions?: { code?: string; requestId?: string; retryAfter?: number };
}

/** After these the same request, under the same idempotency key, may well succeed. */
const TRANSIENT = new Set([
  'OUTCOME_UNKNOWN',
  'OVERLOADED',
  'RATE_LIMITED',
  'SHARD_UNAVAILABLE',
  'TIMEOUT',
]);

export function isTransient(code: unknown): boolean {
  return typeof code === 'string' && TRANSIENT.has(code);
}

/** A request that got no answer, or an answer that says no. */
export class RequestFailed extends Error {
  constructor(
    message: string,
    readonly code?: string,
  ) {
    super(message);
  }
}

const ATTEMPTS = 3;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends a mutation that has no session yet (log-in, sign-up, refresh): up to three times, as one action. */
export async function request<Data, Variables>(
  document: TadaDocumentNode<Data, Variables>,
  variables: Variables,
  token?: string,
): Promise<Data> {
  const init: RequestInit = {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
      [IDEMPOTENCY_KEY]: newKey(),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    body: JSON.stringify({ query: stringifyDocument(document), variables }),
  };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once<Data>(init);
    } catch (error) {
      const again =
        !(error instanceof RequestFailed) || error.code === undefined || isTransient(error.code);
      if (!again || attempt === ATTEMPTS)
        throw error instanceof RequestFailed ? error : new RequestFailed('plaza does not answer.');
      await pause(2 ** attempt * 200 * (0.5 + Math.random()));
    }
  }
}

async function once<Data>(init: RequestInit): Promise<Data> {
  const response = await plazaFetch(ENDPOINT, init);
  const answer = (await response.json().catch(() => null)) as {
    data?: Data | null;
    errors?: GraphQLFailure[];
  } | null;
  const error = answer?.errors?.[0];
  if (error) throw new RequestFailed(error.message, error.extensions?.code ?? 'UNKNOWN');
  if (!answer?.data) throw new RequestFailed(`plaza answered ${response.status}.`);
  return answer.data;
}
