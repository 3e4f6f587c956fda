export {
  PlazaClient,
  type ClientOptions,
  type ExecuteOptions,
  type RequestOptions,
} from './client.js';
export { Consistency, CONSISTENCY, type TokenStore } from './consistency.js';
export { RequestFailed, hasCode, isTransient } from './errors.js';
export type { GraphQLFailure, UserError } from './errors.js';
export type {
  GraphQLRequest,
  GraphQLResponse,
  Operation,
  Response,
  TypedDocument,
} from './http.js';
export { IDEMPOTENCY_KEY, newKey } from './idempotency.js';
export { LocalLocks, MemoryStore, type Locks, type Store } from './platform.js';
export { MutationQueue, type AddOptions, type Outcome, type Queued } from './queue.js';
export { Session, type LoggedIn, type LogInInput, type SignUpInput } from './session.js';
export { Socket, type Sink, type SocketState, type SubscribeOptions } from './socket.js';
export { UploadRefused, type UploadOptions } from './upload.js';
