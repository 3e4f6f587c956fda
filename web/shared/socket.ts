import { createClient, type Client, type Sink, type SubscribePayload } from 'graphql-ws';
import { ENDPOINT } from './http';
import type { Session } from './session';

/** plaza closes a socket with this when its token is no good (any more): with a new token it may be opened again. */
const FORBIDDEN = 4403;

const PING_EVERY_MS = 12_000;
const PONG_WITHIN_MS = 6_000;
const BEGIN_AGAIN_MS = 3_000;
/** A new token is sent so long before the old one ends; the session renews those that have less than 30 s. */
const RENEW_BEFORE_MS = 25_000;

/** A socket that is opened with the first subscription, says who it is, and comes back by itself. */
export function createSocket(session: Session): Client {
  let refused = false;
  let unanswered: ReturnType<typeof setTimeout> | undefined;
  let renewal: ReturnType<typeof setTimeout> | undefined;
  // plaza closes a socket when its token ends, unless a ping has brought another one of the same session.
  const renewBefore = (socket: WebSocket, endsAt: number | undefined) => {
    clearTimeout(renewal);
    if (endsAt === undefined) return;
    renewal = setTimeout(
      async () => {
        const token = await session.accessToken().catch(() => null);
        if (!token || socket.readyState !== WebSocket.OPEN) return;
        socket.send(
          JSON.stringify({ type: 'ping', payload: { authorization: `Bearer ${token}` } }),
        );
        renewBefore(socket, session.current?.expiresAt);
      },
      Math.max(1_000, endsAt - RENEW_BEFORE_MS - Date.now()),
    );
  };
  const client = createClient({
    url: () => new URL(ENDPOINT, location.href).href.replace(/^http/, 'ws'),
    keepAlive: PING_EVERY_MS,
    lazyCloseTimeout: 2_000,
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: (retries) => {
      const atMost = Math.min(10_000, 250 * 2 ** retries);
      // A network that is back ends the wait.
      return new Promise((resolve) => {
        const go = () => {
          clearTimeout(timer);
          removeEventListener('online', go);
          resolve();
        };
        const timer = setTimeout(go, atMost * (0.5 + Math.random() / 2));
        addEventListener('online', go);
      });
    },
    shouldRetry: () => true,
    connectionParams: async () => {
      if (refused) await session.renew();
      refused = false;
      const token = await session.accessToken();
      return token ? { authorization: `Bearer ${token}` } : {};
    },
    on: {
      connected: (socket) => renewBefore(socket as WebSocket, session.current?.expiresAt),
      // A network that went away closes nothing: only the missing answer tells.
      ping: (received) => {
        if (!received) unanswered = setTimeout(() => client.terminate(), PONG_WITHIN_MS);
      },
      pong: (received) => {
        if (received) clearTimeout(unanswered);
      },
      closed: (event) => {
        clearTimeout(unanswered);
        clearTimeout(renewal);
        refused = event instanceof CloseEvent && event.code === FORBIDDEN;
      },
    },
  });
  // The socket of the network before is dead, whatever it says of itself.
  addEventListener('online', () => client.terminate());
  return client;
}

/**
 * Subscribes so that nothing is missed or told twice when the socket breaks. Every event of plaza's has a cursor; the socket sends this payload
 * again after a reconnect, so the last cursor is put into it as `$after`.
 */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the socket is asked for it, too
export function subscribeResuming<Data extends Record<string, unknown>>(
  socket: Client,
  payload: SubscribePayload,
  sink: Sink<{ data?: Data | null }>,
): () => void {
  const takesAfter = /\$after\b/.test(payload.query);
  // The socket holds on to this object and writes it out anew at each attempt.
  const resumable = { ...payload, variables: { ...payload.variables } };
  let stop: () => void;
  const begin = () => {
    stop = socket.subscribe<Data>(resumable, {
      complete: () => sink.complete(),
      error: (error) => {
        if (!isBroken(error)) return sink.error(error);
        const later = setTimeout(begin, BEGIN_AGAIN_MS);
        stop = () => clearTimeout(later);
      },
      next: (result) => {
        const cursor = Object.values(result.data ?? {})
          .map(cursorOf)
          .find(Boolean);
        if (cursor && takesAfter) resumable.variables = { ...resumable.variables, after: cursor };
        sink.next(result);
      },
    });
  };
  begin();
  return () => stop();
}

/** The library gives up on closes such as 1008, which a proxy on the way may send: a laptop that slept is to come back from that, too. */
function isBroken(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'number' && code >= 1_000 && code < 2_000;
}

function cursorOf(event: unknown): string | undefined {
  const cursor = (event as { cursor?: unknown } | null)?.cursor;
  return typeof cursor === 'string' ? cursor : undefined;
}
