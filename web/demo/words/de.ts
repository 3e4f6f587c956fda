import type { Words } from '.';
import { counter } from './forms';

const n = counter('de');

/** Why something was refused, by plaza's closed list of codes. */
const REFUSALS: Record<string, string> = {
  IDEMPOTENCY_CONFLICT: 'Das wurde schon mit anderem Inhalt gesendet.',
  INVALID: 'Das ist zu kurz, zu lang oder enthält etwas, das nicht erlaubt ist.',
  INVALID_CREDENTIALS: 'Name oder Passwort sind falsch.',
  INVALID_STATE: 'Das geht jetzt nicht mehr.',
  LIMIT_EXCEEDED: 'Mehr davon geht nicht.',
  NOT_ALLOWED: 'Das darfst du damit nicht tun.',
  NOT_FOUND: 'Das gibt es nicht, oder es ist nicht für dich zu sehen.',
  OUT_OF_STOCK: 'Davon ist nicht genug da.',
  TAKEN: 'Das ist schon vergeben.',
};

/** How a form calls the input's fields. */
const FIELDS: Record<string, string> = {
  handle: 'Kürzel',
  displayName: 'Name',
  text: 'Text',
  bio: 'Über dich',
  email: 'E-Mail',
  password: 'Passwort',
  quantity: 'Menge',
};

/** All words of the demo in German. */
export const de: Words = {
  skip: 'Zum Inhalt springen',
  loading: 'Wird geladen',
  loadingMore: 'Wird geladen…',
  loadMore: 'Mehr laden',
  listEnd: 'Das ist alles.',
  tryAgain: 'Noch einmal versuchen',
  notLoaded: 'Das konnte nicht geladen werden',
  notLoadedShort: 'Das konnte nicht geladen werden.',
  someMissing: 'Manches fehlt vielleicht.',
  broken: 'Diese Seite ist kaputtgegangen',
  loadAgain: 'Neu laden',
  nowhere: 'Nicht hier',
  nothingHere: 'Hier ist nichts',
  wayHome: 'Der Weg [nach Hause] ist kurz.',
  messages: 'Meldungen',
  dismiss: 'Schließen',
  back: 'Zurück',
  more: 'Mehr',
  close: 'Schließen',
  goneSomebody: 'Jemand, der nicht mehr hier ist',
  now: 'jetzt',
  view: 'Ansehen',
  undo: 'Rückgängig',
  copyLink: 'Link kopieren',
  linkCopied: 'Link kopiert.',
  linkNotCopied: 'Der Link konnte nicht kopiert werden.',
  showMore: 'Mehr anzeigen',

  home: 'Start',
  search: 'Suche',
  shop: 'Markt',
  orders: 'Bestellungen',
  notifications: 'Mitteilungen',
  profile: 'Profil',
  analytics: 'Statistik',
  settings: 'Einstellungen',
  logIn: 'Anmelden',
  signUp: 'Registrieren',
  unread: (count) => `${count} neue`,
  connection: {
    opening: 'Verbindet',
    open: 'Live',
    lost: 'Verbindet wieder',
    offline: 'Offline',
  },
  offline: 'Du bist offline. Was hier ist, bleibt lesbar; was du schreibst, bleibt erhalten.',
  waiting: (count) =>
    n(count, {
      one: '# Aktion wird gesendet, wenn du wieder online bist.',
      other: '# Aktionen werden gesendet, wenn du wieder online bist.',
    }),
  waitingStill: (count) =>
    n(count, {
      one: 'plaza antwortet nicht. # Aktion wartet darauf, gesendet zu werden.',
      other: 'plaza antwortet nicht. # Aktionen warten darauf, gesendet zu werden.',
    }),
  waitingSent: 'Was gewartet hat, ist gesendet.',
  waitingFailed: (why) => `Was gewartet hat, ging nicht. ${why}`,
  sessionEnded: 'Deine Sitzung ist beendet. Melde dich wieder an.',
  newInShop: 'Neu im Markt',

  unreachable: 'plaza ist gerade nicht erreichbar.',
  kept: 'plaza ist gerade nicht erreichbar. Das bleibt erhalten und wird gesendet, sobald es geht.',
  unauthenticated: 'Dafür musst du angemeldet sein.',
  forbidden: 'Das ist nicht für dich zu sehen.',
  rateLimited: (seconds) =>
    seconds === undefined
      ? 'Das war viel auf einmal. Versuche es in einigen Sekunden noch einmal.'
      : n(seconds, {
          one: 'Das war viel auf einmal. Versuche es in # Sekunde noch einmal.',
          other: 'Das war viel auf einmal. Versuche es in # Sekunden noch einmal.',
        }),
  busy: 'plaza hat viel zu tun. Versuche es gleich noch einmal.',
  partUnreachable: 'Ein Teil von plaza ist gerade nicht erreichbar.',
  outcomeUnknown:
    'Es ist unklar, ob das geschehen ist. Versuche es noch einmal: Es geschieht nur einmal.',
  internal: (requestId) =>
    `Bei plaza ist etwas schiefgegangen${requestId ? ` (${requestId})` : ''}.`,
  failed: (message) => `Das ging nicht (${message}).`,
  refusal: (code, field, message) => {
    const why = REFUSALS[code] ?? `Das ging nicht (${message}).`;
    const name = FIELDS[field];
    return name ? `${name}: ${why}` : why;
  },

  writePost: 'Beitrag schreiben',
  yourPost: 'Dein Beitrag',
  whatIsGoingOn: 'Was gibt es Neues?',
  post: 'Beitrag',
  sending: 'Wird gesendet…',
  posted: 'Veröffentlicht.',
  writeComment: 'Kommentar schreiben',
  yourComment: 'Dein Kommentar',
  sayToPost: 'Sag etwas dazu',
  comment: 'Kommentieren',
  writeReply: 'Antwort schreiben',
  yourReply: 'Deine Antwort',
  sayToComment: 'Sag etwas zu diesem Kommentar',
  reply: 'Antworten',
  people: 'Leute',
  hashtags: 'Hashtags',
  suggestionCount: (count) => n(count, { one: '# Vorschlag', other: '# Vorschläge' }),
  images: 'Bilder',
  addImages: 'Bilder anhängen',
  emoji: 'Emojis',
  imageTooLarge: 'Ein Bild darf 10 MB haben.',
  imageNotSent: 'Das Bild konnte nicht gesendet werden.',
  imageRefused: {
    UNSUPPORTED_FORMAT: 'Das ist kein JPEG, PNG, WebP oder GIF.',
    UNREADABLE: 'Dieses Bild ist beschädigt.',
    TOO_MANY_PIXELS: 'Dieses Bild hat zu viele Pixel.',
    ANIMATED: 'Bewegte Bilder werden nicht angenommen.',
    REJECTED: 'Dieses Bild kann nicht gezeigt werden.',
  },

  postBy: (name) => `Beitrag von ${name ?? 'jemandem'}`,
  quotedPostBy: (name) => `Zitierter Beitrag von ${name ?? 'jemandem'}`,
  repostedBy: 'Geteilt von [jemandem, der nicht mehr hier ist]',
  quotedGone: 'Der zitierte Beitrag ist nicht hier.',
  likeCount: (count) => `Gefällt mir: ${count}`,
  commentCount: (count) => `Kommentare: ${count}`,
  repostCount: (count) => `Teilen: ${count}`,
  quote: 'Zitieren',
  delete: 'Löschen',
  reallyDelete: 'Diesen Beitrag löschen? Er ist dann überall weg.',
  deleted: 'Beitrag gelöscht.',
  imageOf: (at, count) => `Bild ${at} von ${count}`,
  altBadge: 'ALT',
  homeFeed: 'Startseite',
  quiet: 'Hier ist es still',
  quietWhy:
    'Beiträge der Leute, denen du folgst, kommen hierher, sobald sie geschrieben sind. [Finde Leute], oder schreibe den ersten.',
  newPosts: (count) => n(count, { one: '# neuer Beitrag', other: '# neue Beiträge' }),
  block: (handle) => `@${handle} blockieren`,
  reallyBlock: (handle) =>
    `@${handle} blockieren? Ihr seht einander nicht mehr, und keiner folgt mehr dem anderen.`,
  blocked: (handle) => `@${handle} ist blockiert.`,
  unblocked: (handle) => `@${handle} ist nicht mehr blockiert.`,
  fromSeller: (handle) => `von ${handle ? `@${handle}` : 'jemandem'}`,
  soldOutShort: 'ausverkauft',
};
