/** The keys of the whole program: load, log, page, state, PocketBase. They belong at the top of the file. */
import * as z from "zod";
import { rolloverMinutes } from "../../domain/night/night.ts";
import { bool, duration, integer, oneOf, setting, size, text, texts } from "./values.ts";

const DAY = 86_400_000;

export const loadKeys = {
  max_concurrent_syncs: integer(1, 256).optional().meta({
    description:
      "How many destinations may be sent to at the same time; if more have files waiting, they take turns, and a slow one " +
      "delays the others. If not set: all, independently of each other",
    examples: [4],
  }),
  max_file_operations: integer(1, 10_000).prefault(100).describe(
    "How many source files of a batch are checked or hashed at the same time",
  ),
  sync_queue_size: integer(1, 1_000_000).prefault(1000)
    .describe("Maximum number of files in one batch, at most 1000. The backlog itself is on disk and has no limit"),
};

const LEVELS = ["trace", "debug", "info", "warning", "warn", "error"] as const;

export const logKeys = {
  log_level: setting(
    oneOf(LEVELS).meta({ enum: [...LEVELS, ...LEVELS.map((level) => level.toUpperCase())] })
      .transform((level) => level === "warn" ? "warning" : level).prefault("INFO"),
    {
      name: "level",
      description: "How much to log: trace, debug, info, warning, error",
    },
  ),
  log_directory: setting(text("a folder").prefault("~/logs"), {
    name: "directory",
    description: "Folder for the log files",
  }),
  log_file: setting(text("a file name").prefault("image_transfer.log"), {
    name: "file",
    description: "Name of the log file; if it contains a folder, `log_directory` is ignored",
  }),
  log_max_bytes: setting(size(10_000, 1e12).prefault("10 MB"), {
    name: "maxBytes",
    description: "Size at which the log file is renamed and a new one is started",
  }),
  log_backup_count: setting(integer(0, 1000).prefault(5), {
    name: "backupCount",
    description: "How many old log files to keep",
  }),
  log_format: setting(oneOf(["text", "json"]).prefault("text"), {
    name: "format",
    description: "`text` for people, `json` for programs: one object per line",
  }),
};

export const webShape = {
  listen: z.union([z.string(), z.number()], "must be an address and a port, like 127.0.0.1:9090").prefault("127.0.0.1:9090")
    .describe("Address and port. Port 0 means any free port"),
  token: setting(text("text of at least 16 characters").optional(), {
    kind: "secret",
    description: "Access token for the page. Required if other computers may connect",
    writeOnly: true,
  }),
  metrics_token: setting(text("text of at least 16 characters").optional(), {
    kind: "secret",
    description:
      "Access token for Prometheus and other monitors: opens `/metrics` and `/health`, and nothing else. Once set, programs on this computer need it too. Set it if a reverse proxy on this computer serves the page",
    writeOnly: true,
  }),
  tls_cert: setting(text("a file").optional(), {
    kind: "path",
    description: "Certificate file for https",
  }),
  tls_key: setting(text("a file").optional(), {
    kind: "path",
    description: "Private key file for https",
  }),
  metrics: bool().prefault(true).describe("Serve `/metrics` for Prometheus"),
};

export const reportShape = {
  at: z.string("must be a time of day, like 08:00").refine(
    (text) => rolloverMinutes(text) !== null,
    "must be a time of day, like 08:00",
  )
    .prefault("08:00").describe("Time of day, by this computer's clock"),
  to: z.url({ protocol: /^https?$/, error: "must be the address of a webhook, like https://chat.example/hooks/abc" })
    .optional().meta({
      description: "Webhook that receives JSON with `text` and `report`. Hooks with `on: [report]` receive the report without it",
      examples: ["https://chat.example/hooks/abc"],
      writeOnly: true,
    }),
  fleet: bool().prefault(false).describe(
    "Also send a report on all computers of the PocketBase server. Set it on one computer only",
  ),
};

export const webKeys = {
  web: z.union([
    z.literal(false),
    z.literal(true),
    z.strictObject(webShape),
  ], "must be false, true or a section").prefault({}).describe("The live page; `web: false` turns it off"),
  report: z.union([z.literal(false), z.strictObject(reportShape)], "must be false or a section").prefault(false).describe(
    'Send a report on the night every morning: `{ at: "08:00", to: https://… }`; with `fleet: true`, also one on all computers',
  ),
};

export const daemonKeys = {
  state_directory: setting(text("a folder"), {
    kind: "path",
    description: "Folder for the ledger of all deliveries. If not set: the usual place on this system",
    examples: ["~/.local/state/image-transfer"],
  }),
  pid_file: setting(text("a file").optional(), {
    kind: "path",
    description: "File to write the process ID to",
    examples: ["/run/image-transfer.pid"],
  }),
  system_log: z.union([bool(), oneOf(["auto"])], "must be auto, true or false").prefault("auto").describe(
    "Also write start, stop and failures to the system's log: Windows Event Log, macOS unified log, syslog. `auto`: on Windows and macOS; on Linux, the journal has the log of a service anyway. A change takes effect at the next start",
  ),
  auto_reload: bool().prefault(true).describe("Apply changes to this file at once. An invalid file changes nothing"),
  shutdown_timeout_seconds: setting(duration("seconds", 0, 3_600_000).prefault(20), {
    name: "shutdownTimeoutMs",
    description: "How long running transfers may take to finish when the daemon is stopped; the rest resumes at the next start",
  }),
};

/** What a server may decide of this daemon. */
const MAY_SET = ["jobs", "schedules"] as const;
/** What another computer may ask for through the server. */
export const MAY_DO = ["pause", "resume", "retry", "scan"] as const;

export const pocketbaseShape = {
  url: setting(z.url({ protocol: /^https?$/, error: "must be a URL, like https://pocketbase.example" }), {
    missing: "the URL of the server, like https://pocketbase.example",
    description: "URL of the server, which `pocketbase setup` has prepared",
  }),
  admin_email: setting(text("an email address"), {
    missing: "the email address of this daemon's account; `pocketbase setup --add NAME` creates one",
    description: "Email address of this daemon's account. A superuser's works as well, but can change everything on the server",
  }),
  admin_password: setting(text("a password").optional(), {
    kind: "secret",
    description: "Password; `$NAME` takes it from the environment. A file with a password in it should have mode 0600",
    writeOnly: true,
  }),
  admin_password_file: setting(text("a file").optional(), {
    kind: "path",
    description: "Or a file that contains the password, with mode 0600",
  }),
  tls_ca: setting(text("a file").optional(), {
    kind: "path",
    description:
      "A file with the certificates to trust besides those that this computer trusts, in PEM form: for an https server with " +
      "a certificate of your own",
  }),
  instance: text("a name").regex(/^[\p{L}\p{N}_][\p{L}\p{N} ._-]{0,63}$/u, "must be a name of letters, digits, spaces and . _ -")
    .optional().describe("Name of this computer on the server. If not set: the name of the account, else the host name"),
  timeout_secs: setting(duration("seconds", 100, DAY).prefault(30), {
    name: "timeoutMs",
    description: "Maximum time to wait for a response",
  }),
  retry_attempts: integer(0, 1000).prefault(3).describe("How often to retry a request"),
  retry_delay_secs: setting(duration("seconds", 0, DAY).prefault(5), {
    name: "retryDelayMs",
    description: "Pause between retries",
  }),
  config_refresh_interval_secs: setting(duration("seconds", 1000, DAY).prefault(300), {
    name: "refreshMs",
    description: "How often to check for changed jobs, in case a notification from the server was missed",
  }),
  upload_logs: bool().prefault(true).describe("Upload the log as well"),
  cache_dir: setting(text("a folder").optional(), {
    kind: "path",
    description: "Folder for a copy of the jobs, for starts without a network. If not set: the state directory",
  }),
  allow_http: text("the host name in the url").optional().describe(
    "Name of the host in `url` that may be asked over http, which sends the password in clear. Without it, http works on this computer only",
  ),
  may_set: z.array(oneOf(MAY_SET), "must be a list").prefault(["schedules"]).describe(
    "What the server may set: `schedules`, `jobs`. Its jobs also need `may_watch` and `may_send_to`. Programs, keys and passwords always come from this file",
  ),
  may_watch: texts('folders, like ["~/camera"]').prefault([]).describe(
    "Folders that jobs of the server may watch, with all folders in them; never hidden folders, nor image-transfer's own. `pocketbase status` prints the lines for jobs that wait for it",
  ),
  may_send_to: texts('places, like ["observer@freya:/data", "/mnt/nas", "s3remote:bucket"]').prefault([]).describe(
    "Where jobs of the server may send files: `host`, `user@host:/folder`, `remote:bucket` (rclone), or a folder of this computer; never into hidden folders",
  ),
  may_do: z.array(oneOf(MAY_DO), "must be a list").prefault([]).describe(
    "Commands that this computer accepts from others through the server: `pause`, `resume`, `retry`, `scan`",
  ),
  may_do_from: z.array(text("a name"), "must be a list").prefault([]).meta({
    description: "Computers from which it accepts them, by the names of their accounts. Superusers of the server always may",
    examples: [["control-pc"]],
  }),
};

export const pocketbaseKeys = {
  pocketbase: z.union([z.literal(false), z.strictObject(pocketbaseShape)], "must be false or a section").prefault(false)
    .describe(
      "Keep jobs on a PocketBase server, and report to it: `{ url: https://…, admin_email: …, admin_password_file: … }`. Run `image-transfer pocketbase setup` first; see docs/fleet.md and `config schema`",
    ),
};

/** All keys of the whole program, in the order of the sample file. */
export const programShape = { ...loadKeys, ...logKeys, ...webKeys, ...daemonKeys, ...pocketbaseKeys };
