/** What `doctor` looks at of the PocketBase server: whether it can be reached, trusted and used. Nothing is written there. */
import { heldReasons, permissionLines } from "../../config/read/held_jobs.ts";
import { kindOf, readPartially } from "../../config/read/load.ts";
import type { HeldJob, PocketbaseSettings, Settings } from "../../config/settings.ts";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { span } from "../../domain/words.ts";
import type { System } from "../../system/system.ts";
import { fault, ok, type Remark, warning } from "./finding.ts";

/** Longer is told of. */
const CLOCKS_DIFFER_MS = 60_000;
const ANSWER_MS = 10_000;

/** Nothing where no server is configured. */
export async function checkPocketbase(
  settings: Pick<Settings, "pocketbase" | "file">,
  system: System,
  signal: AbortSignal,
): Promise<Remark[]> {
  const { pocketbase } = settings;
  if (pocketbase === null) return [];
  const once = { ...pocketbase, timeoutMs: Math.min(pocketbase.timeoutMs, ANSWER_MS) };
  try {
    const { name, fault: wrong, held, aheadMs } = await lookAtServer({ ...settings, pocketbase: once }, system, signal);
    const { url, allowHttp } = pocketbase;
    const { protocol, hostname } = URL.parse(url) ?? {};
    const isInClear = protocol === "http:" && hostname?.replace(/^\[|\]$/g, "") === allowHttp?.toLowerCase();
    const lines = permissionLines(held, pocketbase, kindOf(settings.file ?? ""));
    const reasons = heldReasons(held);
    return [
      ok(`PocketBase ${url}: connected as ${printable(name)}`),
      ok(`Whoever owns that server ${rightsOf(pocketbase)}`),
      ...isInClear ? [warning(`${url} is asked over http, which sends the password in clear (allow_http)`, "Use https.")] : [],
      ...wrong === null ? [] : [fault(wrong)],
      // One for each reason; with the last one, the lines that would allow what waits.
      ...reasons.map((reason, index) =>
        index === reasons.length - 1 && lines.length > 0
          ? warning(
            [reason, ...lines].join("\n"),
            `If you want them to run, add these lines to "pocketbase" in ${settings.file}.`,
          )
          : warning(reason, "Correct it on the server.")
      ),
      ...Math.abs(aheadMs) > CLOCKS_DIFFER_MS
        ? [
          warning(
            `The clock of this computer is ${span(Math.abs(aheadMs))} ${aheadMs > 0 ? "ahead of" : "behind"} that of ${url}`,
            "Set both clocks by NTP.",
          ),
        ]
        : [],
    ];
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Failure)) throw error;
    // Deliveries do not need it, and an outage passes; a mistake does not.
    return [error.next === "later" ? warning(error.message, error.hint) : fault(error)];
  }
}

/**
 * Whether the server can be reached and used, and its jobs with it: this computer's name there, why its jobs cannot be used, and which of
 * them the file does not allow.
 *
 * @throws {Failure} where it cannot.
 */
export async function lookAtServer(
  { pocketbase, file }: Pick<Settings, "file"> & { readonly pocketbase: PocketbaseSettings },
  system: System,
  signal: AbortSignal,
) {
  const { senderOf } = await import("../../fleet/accounts.ts");
  const { pocketbaseServer } = await import("../../fleet/pocketbase_server.ts");
  const { requireCollections } = await import("../../fleet/setup.ts");
  const { fetchJobs } = await import("../../fleet/jobs_of_server.ts");
  const server = pocketbaseServer({ ...pocketbase, retryAttempts: 0 }, system);
  await server.account(signal);
  await server.requireCurrent(signal);
  await requireCollections(server, signal);
  // A superuser's computer is only looked up by the daemon, which adds it where it is missing.
  const { id, name } = await senderOf(server, pocketbase, system, signal);
  const aheadMs = system.now() - await server.clock(signal);
  const known = { name, isRegistered: id !== null, aheadMs };
  if (file === null) return { ...known, fault: null, held: [] as readonly HeldJob[] };
  const jobs = await fetchJobs(server, { id: id ?? "", name }, signal);
  const { fault, settings } = await readPartially(file, system, jobs);
  return { ...known, fault, held: settings.held ?? [] };
}

/** What follows "whoever owns that server". */
function rightsOf({ maySet, mayWatch, maySendTo, mayDo }: PocketbaseSettings): string {
  const rights = [
    ...maySet.includes("schedules") ? ["may set when jobs send"] : [],
    ...maySet.includes("jobs") ? [`may send files from ${among(mayWatch)} to ${among(maySendTo)}`] : [],
    ...mayDo.length > 0 ? [`may ask for ${mayDo.join(", ")}`] : [],
  ];
  return rights.length === 0 ? "decides nothing here" : rights.join("; ");
}

function among(allowed: readonly string[]): string {
  return allowed.length === 0 ? "nowhere" : allowed.map(printable).join(", ");
}
