/**
 * The keys of a job: what is watched, when a file is finished and when it is sent, and hooks. Each may be set in a job, or at the top
 * as the default for all jobs.
 */
import * as z from "zod";
import { newerThan } from "../../domain/newer_than.ts";
import { amount, bool, duration, fail, oneOf, setting, text, texts, timeOfDay, zone } from "./values.ts";
import { type Hook, HOOK_EVENTS, HOOK_FORMATS, PLACEHOLDERS, unknownPlaceholder } from "../../domain/hook.ts";
import { cronFault, type Schedule } from "../../domain/schedule.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Which files are sent while they are written, and how: what `growing_files: true` means. */
const GROWING = { minBytes: 100e6, marginBytes: 50e6, timeoutMs: 30_000 };

const NEWER_THAN = "must be a date like 2026-11-01, a time before the first start like 7d, now, or false";

export const watchKeys = {
  watch_path: setting(text("a folder"), {
    kind: "path",
    missing: "the folder the camera writes to",
    description: "The folder the camera writes to. `NIGHT` in the path matches the folder of every night, YYYYMMDD",
    examples: ["~/images"],
  }),
  file_patterns: texts('patterns, like ["*.fits", "*.fit"]').min(1, "must name at least one pattern")
    .prefault(["*.fits", "*.fit", "*.fts", "*.fz", "*.fits.gz"])
    .describe(
      "Which files to deliver, as globs; case is ignored. A pattern without `/` is matched against the file name, one with `/` against the path below `watch_path`",
    ),
  exclude_patterns: setting(texts('patterns, like ["*.tmp"]').prefault([]), {
    aliases: ["filters"],
    description: "Files to leave out although they match `file_patterns`",
  }),
  newer_than: z.union([z.literal(false), z.string()], NEWER_THAN).transform((value, context) => {
    const since = value === false ? null : newerThan(value);
    return value === false || since !== null ? since : fail(context, NEWER_THAN);
  }).prefault(false).describe(
    "Leave older files aside: only files whose modification time is at least this are delivered. A date like `2026-11-01` (midnight, in `night_timezone`), also with a time and a time zone, as `2026-11-01 18:00+01:00`; or a time before the first start with this key, like `7d`, or `now`: that start is remembered, so a restart or another value does not move it. A file that is copied there later with an older modification time is left aside as well. `status` says how many there are; to send them, set an earlier date or remove the key",
  ),
  recursive: bool().prefault(true).describe("Watch subfolders as well"),
  ignore_hidden_files: bool().prefault(true).describe("Ignore names that begin with a dot"),
  watch_mode: oneOf(["auto", "events", "poll"]).prefault("auto").describe(
    "`events`: the system reports changes; `poll`: the folder is listed regularly, for network drives; `auto` chooses",
  ),
  watch_events: z.array(oneOf(["create", "write", "remove", "rename", "chmod"]), "must be a list of events")
    .prefault(["create", "write", "remove", "rename"])
    .describe("Which changes are logged and trigger hooks. `chmod` is accepted, but permission-only changes are not reported"),
  debounce_ms: duration("milliseconds", 0, 60_000).prefault(1000)
    .describe(
      "Shortest time between a change and a listing of its whole folder, and between two such listings, in milliseconds. It delays no file: changed files are checked at once",
    ),
  rescan_interval: setting(duration("seconds", 1000, 7 * DAY).prefault("5m"), {
    name: "rescanIntervalMs",
    description:
      "How often everything is listed again in case the system missed a change; up to three times as long if a listing takes more than 0.1 % of this. On local disks of Linux, of folders in which no name came or went for a day only some 4,000 files per minute of this are examined each time, in turn (20,000 at 5m): there, a new name is found by the next listing, a rewrite that no event told of in a large archive by a later one. When polling: the longest pause between two listings, which is otherwise 2 to 30 s, or longer if a listing takes longer",
  }),
};

export const finishedKeys = {
  completeness: oneOf(["auto", "quiet", "marker"]).prefault("auto").describe(
    "How a finished file is recognised. `auto`: no program is writing to it and it has the length that its headers declare; `quiet`: it is unchanged for `min_file_age_seconds`; `marker`: the file named by `marker` exists",
  ),
  marker: text("a name like {name}.done").refine((text) => text.includes("{name}") && !/[/\\]/.test(text), {
    message: "must be a file name that contains {name}, like {name}.done, without a folder",
  }).prefault("{name}.done").describe(
    "With `completeness: marker`: the name of the file, in the image's folder, that marks it as finished",
  ),
  min_file_age_seconds: setting(duration("seconds", 0, DAY).prefault(2), {
    name: "minFileAgeMs",
    description:
      "How long a file must stay unchanged to count as finished, if its writer or its final length cannot be determined",
  }),
  incomplete_after: setting(duration("seconds", 1000, 30 * DAY).prefault("10m"), {
    name: "incompleteAfterMs",
    description: "How long a FITS file may be shorter than its headers declare before it is listed as incomplete",
  }),
  deliver_incomplete: bool().prefault(false).describe("Deliver incomplete files anyway, with a warning"),
  verify_source: z.union([bool(), oneOf(["warn", "refuse"])], "must be warn, refuse, true or false")
    .transform((value) => value === true ? "warn" : value).prefault("warn").describe(
      "What to do with a file that is damaged or was edited, according to its DATASUM, CHECKSUM or gzip CRC: `warn` (or true) delivers it as it is, with a warning; `refuse` rejects it; `false` does not check",
    ),
  growing_files: z.union([
    bool(),
    z.strictObject({
      min_size_mb: amount(0, 1e9).prefault(GROWING.minBytes / 1e6).describe("Smallest size of such files, in MB"),
      safety_margin_mb: amount(0, 1e9).prefault(GROWING.marginBytes / 1e6)
        .describe("How far the copy stays behind the writer, in MB"),
      growth_timeout_seconds: duration("seconds", 1000, DAY).prefault(GROWING.timeoutMs / 1000).describe(
        "A file that has not grown for this long is shown as stalled, and is not sent further until it grows again",
      ),
    }).transform(({ min_size_mb, safety_margin_mb, growth_timeout_seconds }): typeof GROWING => ({
      minBytes: min_size_mb * 1e6,
      marginBytes: safety_margin_mb * 1e6,
      timeoutMs: growth_timeout_seconds,
    })),
  ], "must be true, false or a section with min_size_mb, safety_margin_mb, growth_timeout_seconds")
    .transform((value) => value === true ? GROWING : value === false ? null : value).prefault(false).describe(
      "Send large files (video, long cubes) while they are still being written: `true`, or a section like `{min_size_mb: 100, safety_margin_mb: 50, growth_timeout_seconds: 30}`. Once the file is finished, what was sent early is compared, and only then the file gets its name. For local, rsync, sftp and tar, with `verify_transfer: true`",
    ),
  delete_source: bool().prefault(false).describe(
    "Delete a file here once it is verified at all its destinations, in all jobs that watch it",
  ),
  dry_run: bool().prefault(false).describe(
    "Send nothing; only log what would be sent, and where. `image-transfer --dry-run` does this once for all jobs",
  ),
};

/** Which night a file belongs to. */
export const nightKeys = {
  night_timezone: setting(
    zone().optional(),
    {
      name: "timezone",
      description: "Time zone of the observing night. If not set: the computer's time zone",
      examples: ["Europe/Berlin"],
    },
  ),
  night_rollover: setting(
    timeOfDay("12:00").prefault("12:00"),
    {
      name: "rollover",
      description: "Local time at which a new night begins",
    },
  ),
  site_longitude: amount(-180, 360).optional()
    .meta({
      description:
        "Longitude of the site in degrees, east positive. If set, the night follows the sun there instead of the time zone",
      examples: [-70.4],
    }),
};

// The key `hooks`: programs and webhooks to call when something happens.

const ADDRESS = "the address of a webhook, like https://chat.example/hooks/abc";
/** The name of an environment variable that has the address. */
const VARIABLE = /^\$(\w+|\{\w+\})$/;

const hookKeys = z.strictObject({
  on: z.array(oneOf(HOOK_EVENTS), "must be a list of events").min(1, "must name at least one event")
    .describe("The events that trigger it"),
  command: texts("words: the program and its arguments").min(1, "must name a program").optional()
    .describe("Program and arguments, with placeholders like `{path}`"),
  working_directory: text("a folder").optional().describe("The folder that the program starts in"),
  url: text(ADDRESS).refine((url) => VARIABLE.test(url) || /^https?:$/.test(URL.parse(url)?.protocol ?? ""), `must be ${ADDRESS}`)
    .optional()
    .meta({ description: "Or a webhook to post to", writeOnly: true }),
  format: oneOf(HOOK_FORMATS).optional()
    .describe("What the webhook gets: `json` (the whole event), or a message as the named service expects it"),
  chat_id: z.union([text("a chat"), z.number()], "must be the ID of a chat").optional()
    .describe("With `format: telegram`: the chat to write to"),
  secret: text("a secret").optional().meta({ description: "Key that signs the webhook's requests", writeOnly: true }),
  timeout_seconds: duration("seconds", 100, DAY).prefault(60).describe("Time limit"),
  destinations: texts("destinations").optional().describe("Only for these destinations"),
  patterns: texts('patterns, like ["*.fits"]').optional().describe("Only for files that match"),
}, "must be a section, like {on: [held, failed], url: https://ntfy.sh/my-topic, format: ntfy}");

export const hookKey = {
  hooks: z.union([
    z.literal(false).transform((): Hook[] => []),
    z.array(hookKeys.transform(hookOf), "must be a list of hooks"),
  ], "must be a list of hooks").prefault([]).describe(
    "Programs or webhooks to call on events: `created`, `changed`, `removed`, `ready`, `delivered`, `failed`, `held`, `resumed`, `scheduled`, `report`",
  ),
};

function hookOf(keys: z.output<typeof hookKeys>, context: z.RefinementCtx): Hook {
  // An unknown key may be a misspelt one of these.
  if (context.issues.length > 0) return z.NEVER;
  const { on, command, working_directory, url, format, chat_id, secret, destinations = null, patterns = null } = keys;
  const hook = { on, timeoutMs: keys.timeout_seconds, destinations, patterns };
  if (url === undefined) {
    if (command === undefined) return fail(context, "must have a command or a url");
    const [only] = Object.entries({ format, secret, chat_id }).filter(([, value]) => value !== undefined);
    if (only !== undefined) return fail(context, "must be left out: it is for webhooks", [only[0]]);
    const unknown = command.map(unknownPlaceholder).find((name) => name !== null);
    const known = PLACEHOLDERS.map((name) => `{${name}}`).join(", ");
    if (unknown === undefined) return { ...hook, receiver: { kind: "command", argv: command, cwd: working_directory ?? null } };
    return fail(context, `must have known placeholders only, ${known}; {${unknown}} is none`, ["command"]);
  }
  if (command !== undefined) return fail(context, "must have a command or a url, not both");
  if (working_directory !== undefined) return fail(context, "must be left out: it is for commands", ["working_directory"]);
  if ((format === "telegram") !== (chat_id !== undefined)) {
    return fail(context, "must be set with format: telegram, and only with it", ["chat_id"]);
  }
  const isServerOnly = URL.parse(url)?.pathname.replaceAll("/", "") === "";
  if (format === "ntfy" && isServerOnly) return fail(context, "must end with the topic, like https://ntfy.sh/my-topic", ["url"]);
  const chatId = chat_id === undefined ? null : String(chat_id);
  return { ...hook, receiver: { kind: "url", url, format: format ?? "json", chatId, secret: secret ?? null } };
}

/** A schedule with times: `type` and `expression` are the words of seed 2. */
const timesOfRuns = z.strictObject({
  interval: duration("seconds", 1000, 30 * DAY).optional().describe("Time between two runs, like `5m` or `1h`"),
  interval_hours: amount(0.01, 720).optional().describe("The same in hours"),
  cron: text("five or six cron fields").optional()
    .describe("When runs begin, as five or six cron fields; the sixth, in front, is for seconds"),
  from: timeOfDay("06:00").optional().describe("With `to`: send every day between these times only"),
  to: timeOfDay("18:00").optional().describe("End of that time"),
  timezone: zone().optional().describe("Time zone of `cron`, `from` and `to`; default: `night_timezone`"),
}, "must be a section");

export const scheduleKeys = {
  schedule: z.union(
    [
      z.literal(false).transform((): Schedule => ({ kind: "continuous" })),
      oneOf(["continuous", "none", "manual"])
        .transform((word): Schedule => ({ kind: word === "manual" ? word : "continuous" })),
      timesOfRuns.transform(timedSchedule),
    ],
    'must be "continuous", "manual" or a section, like {interval: 5m}, {cron: "0 6 * * *"} or {from: "06:00", to: "18:00"}',
  )
    .prefault("continuous")
    .describe(
      'When files are sent. `continuous`: as soon as they are finished; `manual`: with `image-transfer sync`; `{interval: 5m}`, `{cron: "0 6 * * *", timezone: Europe/Berlin}`: in runs; `{from: "06:00", to: "18:00"}`: between these times only. `sync` sends at any time',
    ),
  cooldown_seconds: setting(duration("seconds", 0, DAY).prefault(0), {
    name: "cooldownMs",
    description: "Shortest pause after a run; with `schedule: continuous`, after everything that waited was sent",
  }),
};

function timedSchedule(keys: z.output<typeof timesOfRuns>, context: z.RefinementCtx): Schedule {
  // An unknown key may be a misspelt one of these.
  if (context.issues.length > 0) return z.NEVER;
  const { interval, interval_hours, cron, from, to, timezone = null } = keys;
  const everyMs = interval ?? (interval_hours === undefined ? undefined : interval_hours * HOUR);
  const fault = (message: string, path?: string[]) => fail(context, message, path);
  if ([interval, interval_hours, cron, from ?? to].filter((key) => key !== undefined).length !== 1) {
    return fault("must have one of interval, interval_hours, cron, and from with to");
  }
  if (everyMs !== undefined) return { kind: "interval", everyMs };
  if (cron !== undefined) {
    const wrong = cronFault(cron);
    return wrong === null ? { kind: "cron", pattern: cron, timezone } : fault(wrong, ["cron"]);
  }
  if (from === undefined || to === undefined) return fault("must have both from and to");
  return from === to ? fault("must be another time than from", ["to"]) : { kind: "window", from, to, timezone };
}

/** All keys of a job, in the order of the sample file. */
export const jobShape = { ...watchKeys, ...finishedKeys, ...nightKeys, ...scheduleKeys, ...hookKey };
