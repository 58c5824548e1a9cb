/**
 * `pocketbase`: prepares a PocketBase server, makes and removes accounts, sends the jobs of the file to it, and tells what is in force.
 */
import { object, or } from "@optique/core/constructs";
import { optional } from "@optique/core/modifiers";
import type { InferValue } from "@optique/core/parser";
import { keptJobs } from "../config/read/remote_jobs.ts";
import { permissionLines } from "../config/read/held_jobs.ts";
import { kindOf, loadSettings, readConfig, readPartially } from "../config/read/load.ts";
import { findConfigFile } from "../config/read/find_config.ts";
import { writtenJobs } from "../config/show/show.ts";
import type { PocketbaseSettings, Settings } from "../config/settings.ts";
import { Failure, withHint } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import { span } from "../domain/words.ts";
import { addAccount, daemons, type NewAccount, otherAddresses, removeAccount } from "../fleet/accounts.ts";
import { acceptRemoved, fetchJobs, pushJobs } from "../fleet/jobs_of_server.ts";
import { type PocketbaseServer, pocketbaseServer } from "../fleet/pocketbase_server.ts";
import { setUp } from "../fleet/setup.ts";
import { shellQuote } from "../methods/shell/shell_quote.ts";
import { ACCEPT_REMOVED } from "../reports/overview/overview.ts";
import { lookAtServer } from "./checks/check_here.ts";
import { defineCommand, EXIT, subcommand, tell, type Tools } from "./command.ts";
import { pocketbaseOf, seekDaemon } from "./seek_daemon.ts";
import { configOption, given, jsonOption, pathValue, text, word } from "./options.ts";

/** A superuser, where the account of the configuration is none. */
const rootOptions = {
  config: configOption,
  json: jsonOption,
  email: given("--email", text("EMAIL"), "Superuser to log in as (default: the account in the configuration)"),
  passwordFile: given("--password-file", pathValue("FILE"), "File with the superuser's password (default: ask)"),
};

const setupOptions = object({
  ...rootOptions,
  add: given(
    "--add",
    text("NAME"),
    "Create an account for the computer NAME, or give it a new address and password, and print it",
  ),
});

const pushOptions = object({
  ...rootOptions,
  instance: given(
    "--instance",
    text("NAME"),
    "The computer that the jobs are for (default: pocketbase.instance, else this computer's name)",
  ),
});

/** A server deletes 13,000 log lines a second. */
const DELETES_MS = 600_000;

/** Exit code 1 where the server cannot be used. */
export const pocketbase = defineCommand({
  name: "pocketbase",
  help: "Keep jobs on a PocketBase server: setup, push, status, accept, remove",
  parser: or(
    subcommand("setup", "Create or update the collections on the server; safe to repeat", setupOptions, setup),
    subcommand("push", "Send the jobs of the configuration file to the server", pushOptions, push),
    subcommand(
      "status",
      "Show whether the server answers, and which jobs are in force",
      object({ config: configOption, json: jsonOption }),
      status,
    ),
    subcommand(
      "accept",
      "End jobs here that were removed on the server; until then they run as before",
      object({
        config: configOption,
        json: jsonOption,
        job: optional(word(text("JOB"), "The job (default: all that were removed)")),
      }),
      // By the daemon, else in the copy of the jobs, where the next one finds it.
      async ({ config, json, job = null }, tools) => {
        const { settings, daemon, fault } = await seekDaemon(config, tools);
        if (daemon === null && fault !== null) throw fault;
        const names = daemon === null
          ? await acceptRemoved(job, settings, tools.system)
          : (await daemon.ask("accept-removed", { job })).jobs;
        const said = names.length === 0
          ? "No job is marked as removed on the server.\n"
          : `No longer running here: ${names.map(printable).join(", ")}.\n`;
        tell(json, { accepted: names }, said, tools);
        return EXIT.done;
      },
    ),
    subcommand(
      "remove",
      "End the account of a computer that was stolen or retired, with its heartbeat, jobs and log on the server",
      object({ ...rootOptions, name: word(text("NAME"), "The computer, by the name of its account") }),
      async ({ name, json, config, ...root }, tools) => {
        const settings = await loadSettings(config, tools.cwd, tools.system);
        const server = pocketbaseServer({ ...await rootOf(settings, root, tools), timeoutMs: DELETES_MS }, tools.system);
        const removed = await removeAccount(name, server, tools.system, tools.signal);
        const said = `Removed ${printable(removed)}: its account can no longer log in. ` +
          "The commands that it sent or received remain in: image-transfer fleet commands\n";
        tell(json, { removed }, said, tools);
        return EXIT.done;
      },
    ),
  ),
  run: (wanted, tools) => wanted(tools),
});

async function setup({ add, json, config, ...root }: InferValue<typeof setupOptions>, tools: Tools): Promise<number> {
  const settings = await loadSettings(config, tools.cwd, tools.system);
  const server = pocketbaseServer(await rootOf(settings, root, tools), tools.system);
  const steps = await setUp(server, tools.signal);
  const account = add === undefined ? null : await addAccount(add, server, tools.system, tools.signal);
  const moved = await otherAddresses(server, tools.signal);
  const allowing = account === null ? [] : await linesFor(add!, account, server, tools.signal);
  if (json) {
    tools.stdout(`${JSON.stringify({ collections: steps, account, allowing: allowing.map((line) => line.trim()) })}\n`);
    return EXIT.done;
  }
  for (const { collection, done } of steps) tools.stderr(`${collection}: ${done}\n`);
  for (const name of moved) {
    tools.stderr(
      `${printable(name)}: its account has an e-mail address of its own; whoever reads that mail can set a new password. ` +
        `For a new address: image-transfer pocketbase setup --add ${shellQuote(printable(name))}\n`,
    );
  }
  if (account === null) {
    tools.stderr("To create an account for each computer: image-transfer pocketbase setup --add NAME\n");
    return EXIT.done;
  }
  const { admin_email, admin_password } = account;
  tools.stderr(`Account for ${printable(add!)}. The password is not shown again; add this to that computer's configuration:\n`);
  tools.stdout(`pocketbase:\n  url: ${server.url}\n  admin_email: ${admin_email}\n  admin_password: ${admin_password}\n`);
  if (allowing.length === 0) return EXIT.done;
  tools.stderr("The server has jobs for it, which wait until that file allows them. If you want that, add these lines, too:\n");
  tools.stdout(allowing.map((line) => `${line}\n`).join(""));
  return EXIT.done;
}

/** What the file of a computer must allow for the jobs that the server has for it already, as far as they say themselves. */
async function linesFor(name: string, account: NewAccount, server: PocketbaseServer, signal: AbortSignal): Promise<string[]> {
  const own = (await daemons(server, signal)).find((one) => one.name.toLowerCase() === name.toLowerCase());
  const jobs = own === undefined ? [] : await fetchJobs(server, own, signal);
  const text = new TextEncoder().encode(
    JSON.stringify({ pocketbase: { url: server.url, ...account, allow_http: new URL(server.url).hostname } }),
  );
  // A computer of which nobody knows the home folder: `~` stays.
  const there = { platform: "linux" as const, home: "/~", env: () => undefined, read: () => Promise.resolve(text) };
  const { settings } = await readPartially("config.yaml", there, jobs);
  return permissionLines(settings.held ?? [], pocketbaseOf(settings), "yaml").map((line) => line.replaceAll('"/~', '"~'));
}

async function push({ instance, json, config, ...root }: InferValue<typeof pushOptions>, tools: Tools): Promise<number> {
  const file = await findConfigFile(config, tools.cwd, tools.system);
  // Only those of the file itself.
  const settings = await readConfig(file, tools.system, []);
  const server = pocketbaseServer(await rootOf(settings, root, tools), tools.system);
  const own = settings.pocketbase?.instance ?? tools.system.hostname;
  const name = instance ?? own;
  const pushed = await pushJobs({ jobs: writtenJobs(settings.full), instance: name }, server, tools.system, tools.signal);
  const stays = name.toLowerCase() === own.toLowerCase()
    ? "what this computer's file says stays in use while the job is the same there"
    : `only the file of ${printable(name)} can say it`;
  const lines = pushed.map(({ job, done, leftOut }) => {
    const left = `; ${leftOut.join(", ")} ${leftOut.length === 1 ? "is" : "are"} not sent: ${stays}`;
    return `${printable(job)}: ${done}${leftOut.length === 0 ? "" : left}\n`;
  });
  const all = `These are now the jobs of ${printable(name)}. `;
  const rule = "A job on the server replaces the job of the same name in the file.\n";
  const outcome = { instance: name, jobs: pushed.map(({ leftOut, ...one }) => ({ ...one, left_out: leftOut })) };
  tell(json, outcome, lines.join("") + all + rule, tools);
  return EXIT.done;
}

async function status({ config, json }: Pick<InferValue<typeof setupOptions>, "config" | "json">, tools: Tools): Promise<number> {
  const { system, signal, stdout } = tools;
  const settings = await loadSettings(config, tools.cwd, system);
  const own = pocketbaseOf(settings);
  const kept = await keptJobs(settings, system);
  let failure: string | null = null;
  let seen: Awaited<ReturnType<typeof lookAtServer>> | null = null;
  try {
    seen = await lookAtServer({ ...settings, pocketbase: own }, system, signal);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    failure = error.hint === "" ? `${error.message}.` : withHint(error);
  }
  const fault = seen?.fault?.message ?? null;
  const held = seen?.held ?? settings.held ?? [];
  // The jobs in force, with where each is from.
  const isIn = (names: readonly string[], name: string) => names.some((one) => one.toLowerCase() === name.toLowerCase());
  const fetched = own.maySet.includes("jobs") ? kept?.jobs ?? [] : [];
  const used = fetched.map(({ name }) => name).filter((name) => !isIn(held.map((job) => job.name), name));
  const jobs = settings.jobs.map(({ name }) => ({
    name,
    from: isIn(used, name) ? "server" : "file",
    ...(isIn(settings.removedOnServer ?? [], name) ? { removed_on_server: true } : {}),
  }));
  const allowing = permissionLines(held, own, kindOf(settings.file ?? ""));
  const code = failure === null && fault === null ? EXIT.done : EXIT.notDelivered;
  if (json) {
    const answer = {
      url: own.url,
      connected: failure === null,
      instance: seen?.isRegistered ? seen.name : null,
      failure,
      fault,
      fetched_at: kept === null ? null : new Date(kept.fetchedAt).toISOString(),
      jobs,
      waiting: held.map(({ name, refused }) => ({ name, refused })),
      allowing: allowing.map((line) => line.trim()),
    };
    stdout(`${JSON.stringify(answer, null, 2)}\n`);
    return code;
  }
  const lines = [
    seen === null
      ? printable(failure ?? "")
      : `Connected to ${own.url} as ${printable(seen.name)}.${seen.isRegistered ? "" : UNREGISTERED}`,
    kept === null
      ? "No jobs have been fetched yet; a running daemon fetches them."
      : `Jobs last fetched ${span(system.now() - kept.fetchedAt)} ago.`,
    ...jobs.map(({ name, from, removed_on_server: isRemoved }) => {
      const accept = `removed on the server; if that is right: ${ACCEPT_REMOVED} ${shellQuote(printable(name))}`;
      return `  ${printable(name)}: ${isRemoved ? accept : `from the ${from}`}`;
    }),
    // What is not in force, why, and what would change that.
    ...held.map(({ name, refused }) =>
      `  ${printable(name)}: ${refused === null ? "waits until this file allows it" : `refused: ${printable(refused)}`}`
    ),
    ...fault === null ? [] : ["The server's jobs are not used as they are now:", fault],
    ...allowing.length === 0 ? [] : [
      `To allow what waits, add these lines to "pocketbase" in ${settings.file}. Whoever owns the server can then use them:`,
      ...allowing.map(printable),
    ],
  ];
  stdout(lines.map((line) => `${line}\n`).join(""));
  return code;
}

const UNREGISTERED = " This computer has no account there yet: a superuser is logged in, and no daemon has run here.";

type Root = Pick<InferValue<typeof setupOptions>, "email" | "passwordFile">;

/** The settings with the superuser who was named; else with the account of the configuration. */
async function rootOf(settings: Settings, { email, passwordFile }: Root, tools: Tools): Promise<PocketbaseSettings> {
  const own = pocketbaseOf(settings);
  if (email === undefined && passwordFile === undefined) return own;
  const root = { ...own, adminEmail: email ?? own.adminEmail, adminPassword: null };
  if (passwordFile !== undefined) return { ...root, adminPasswordFile: passwordFile };
  const password = await tools.prompt?.(`Password of ${root.adminEmail} (it will be visible):`);
  tools.signal.throwIfAborted();
  if (password) return { ...root, adminPassword: password, adminPasswordFile: null };
  throw new Failure("configuration", `The password of ${root.adminEmail} is missing`, {
    hint: "Specify a file with the password, of mode 0600: --password-file FILE",
  });
}
