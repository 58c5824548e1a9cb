/**
 * The collections that `pocketbase setup` makes, and who may do what with them. A daemon's account reads its own jobs, and writes its own
 * heartbeat, log and answers; only superusers change jobs and accounts.
 */

/** Accounts, one for each computer. */
export const DAEMONS = "image_transfer_daemons";
/** The domain of their addresses; nothing is ever sent there, because the top-level domain is reserved (RFC 2606). */
export const NO_MAIL = "daemon.invalid";
/** Jobs, for one computer or for all. */
export const JOBS = "image_transfer_jobs";
/** One record for each computer. */
export const HEARTBEATS = "image_transfer_heartbeats";
/** Log lines. */
export const LOGS = "image_transfer_logs";
/** So many lines are sent together: the server writes all of them or none. */
export const LINES_TOGETHER = 50;
/** What one computer asks of another, and what became of it. */
export const COMMANDS = "image_transfer_commands";
/** Which daemon carries a command out: the first that makes the record, whose ID is that of the command. */
export const CLAIMS = "image_transfer_claims";
/** A filter that leads through claims, which no account may list: PocketBase before 0.32 lets it, and one to others' jobs as well. */
export const THROUGH_CLAIMS = `${CLAIMS}_via_daemon.daemon.name != ""`;

/** A field of a collection. */
interface Field {
  readonly name: string;
  readonly type: "text" | "number" | "bool" | "json" | "relation" | "email";
  readonly required?: boolean;
  /** Of a relation: the collection that it leads to. */
  readonly to?: string;
  /** Of a relation: the record stays, without it, when the other one is deleted. */
  readonly outlives?: boolean;
  /** Of an email: the only domains that it may have. */
  readonly onlyDomains?: readonly string[];
  /** Of a text: characters; of json: bytes. */
  readonly max?: number;
}

/** Who may do what, as PocketBase's filters; null: superusers only. */
type Rules = Readonly<Record<"list" | "view" | "create" | "update" | "delete", string | null>>;

export interface Collection {
  readonly name: string;
  readonly type: "auth" | "base";
  readonly fields: readonly Field[];
  readonly rules: Rules;
  readonly indexes: readonly {
    readonly name: string;
    readonly columns: string;
    readonly unique: boolean;
    /** For which records; all without it. */
    readonly where?: string;
  }[];
}

const ANY_DAEMON = `@request.auth.collectionName = "${DAEMONS}"`;
// For somebody without a login, `daemon = @request.auth.id` would be true where `daemon` is empty.
const OWN = `(${ANY_DAEMON} && daemon = @request.auth.id)`;
const ISSUED = `(${ANY_DAEMON} && issued_by = @request.auth.id)`;
const KEEPS_OWNER = "(@request.body.daemon:isset = false || @request.body.daemon = @request.auth.id)";
const NOBODY: Rules = { list: null, view: null, create: null, update: null, delete: null };
const daemon: Field = { name: "daemon", type: "relation", to: DAEMONS, required: true };

/** In the order in which they can be made: relations lead to those before. */
export const COLLECTIONS: readonly Collection[] = [
  {
    name: DAEMONS,
    type: "auth",
    fields: [
      { name: "name", type: "text", required: true, max: 64 },
      // An account may ask for another address, confirm it from there, and then outlive any change of its password.
      { name: "email", type: "email", required: true, onlyDomains: [NO_MAIL] },
    ],
    rules: { ...NOBODY, list: ANY_DAEMON, view: ANY_DAEMON },
    indexes: [{ name: `${DAEMONS}_name`, columns: "name", unique: true }],
  },
  {
    name: JOBS,
    type: "base",
    fields: [
      { name: "name", type: "text", required: true, max: 64 },
      { ...daemon, required: false },
      { name: "enabled", type: "bool" },
      { name: "settings", type: "json", max: 200_000 },
    ],
    rules: { ...NOBODY, list: `${ANY_DAEMON} && (daemon = "" || ${OWN})`, view: `${ANY_DAEMON} && (daemon = "" || ${OWN})` },
    indexes: [{ name: `${JOBS}_name`, columns: "daemon, name", unique: true }],
  },
  {
    name: HEARTBEATS,
    type: "base",
    fields: [
      daemon,
      { name: "version", type: "text", max: 64 },
      { name: "level", type: "text", max: 16 },
      { name: "headline", type: "text", max: 500 },
      { name: "every_seconds", type: "number" },
      { name: "report", type: "json", max: 50_000 },
      { name: "config_error", type: "text", max: 2000 },
      // Which process wrote it, and how many were written.
      { name: "instance", type: "text", max: 300 },
      { name: "beats", type: "number" },
    ],
    rules: { ...NOBODY, list: ANY_DAEMON, view: ANY_DAEMON, create: OWN, update: `${OWN} && ${KEEPS_OWNER}` },
    indexes: [{ name: `${HEARTBEATS}_daemon`, columns: "daemon", unique: true }],
  },
  {
    name: LOGS,
    type: "base",
    fields: [
      daemon,
      { name: "time", type: "text", max: 32 },
      { name: "level", type: "text", max: 16 },
      { name: "message", type: "text", max: 5000 },
    ],
    rules: { ...NOBODY, list: OWN, view: OWN, create: OWN },
    indexes: [
      { name: `${LOGS}_time`, columns: "daemon, time", unique: false },
      // For what deletes old lines.
      { name: `${LOGS}_created`, columns: "created", unique: false },
    ],
  },
  {
    name: COMMANDS,
    type: "base",
    fields: [
      // Both are empty once the account has been removed; the names stay.
      { name: "daemon", type: "relation", to: DAEMONS, outlives: true },
      { name: "issued_by", type: "relation", to: DAEMONS, outlives: true },
      // The name of `issued_by`; of a superuser, who has no record, another one: then `issued_by` is the computer that is asked.
      { name: "issued_as", type: "text", max: 200 },
      // The name of `daemon`.
      { name: "computer", type: "text", max: 64 },
      { name: "action", type: "text", required: true, max: 16 },
      { name: "argument", type: "text", max: 200 },
      { name: "state", type: "text", required: true, max: 16 },
      { name: "answer", type: "text", max: 500 },
    ],
    rules: {
      list: `${OWN} || ${ISSUED}`,
      view: `${OWN} || ${ISSUED}`,
      create: `${ISSUED} && issued_as = @request.auth.name && computer = daemon.name && state = "waiting"`,
      // Only the answer may be added, once, and only by the computer that was asked.
      update: `${OWN} && state = "waiting" && ${
        ["daemon", "issued_by", "issued_as", "computer", "action", "argument"]
          .map((name) => `@request.body.${name}:isset = false`).join(" && ")
      }`,
      delete: null,
    },
    indexes: [
      { name: `${COMMANDS}_state`, columns: "daemon, state", unique: false },
      // Whoever floods a computer with commands has one that waits. Those of before this index have no `computer`.
      {
        name: `${COMMANDS}_waiting`,
        columns: "daemon, issued_by, issued_as",
        unique: true,
        where: "`state` = 'waiting' AND `computer` != ''",
      },
    ],
  },
  {
    name: CLAIMS,
    type: "base",
    fields: [
      daemon,
      { name: "command", type: "relation", to: COMMANDS, required: true },
      { name: "instance", type: "text", max: 300 },
    ],
    // Not to be listed: see THROUGH_CLAIMS.
    rules: { ...NOBODY, view: OWN, create: `${OWN} && id = command && command.daemon = @request.auth.id` },
    indexes: [],
  },
];
