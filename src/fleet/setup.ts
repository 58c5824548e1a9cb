/** Makes the collections on a server, or brings those that are there up to date. Fields that others have added stay. */
import { Failure } from "../domain/failure.ts";
import { superuser } from "./accounts.ts";
import { type Collection, COLLECTIONS, LINES_TOGETHER } from "./collections.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";

/** What was done with a collection. */
export interface SetupStep {
  readonly collection: string;
  readonly done: "created" | "updated" | "unchanged";
}

/** Safe to repeat. @throws {Failure} if the account is not a superuser's, or the server refuses. */
export async function setUp(server: PocketbaseServer, signal: AbortSignal): Promise<readonly SetupStep[]> {
  await superuser(server, signal);
  const present = await server.list<Described>("/api/collections", {}, signal);
  const ids = new Map(present.map(({ name, id }) => [name, id]));
  const steps: SetupStep[] = [];
  for (const collection of COLLECTIONS) {
    const wanted = describe(collection, ids);
    const there = present.find(({ name }) => name === collection.name);
    if (there === undefined) {
      const { id } = await server.ask<{ id: string }>("/api/collections", { method: "POST", body: wanted }, signal);
      ids.set(collection.name, id);
      steps.push({ collection: collection.name, done: "created" });
      continue;
    }
    if (there["type"] !== collection.type) {
      throw new Failure("configuration", `Cannot use the collection ${collection.name}: it is of type ${there["type"]}`, {
        hint: "Rename it on the server, then run pocketbase setup again.",
      });
    }
    const changes = changesTo(there, wanted);
    if (changes === null) {
      steps.push({ collection: collection.name, done: "unchanged" });
      continue;
    }
    await server.ask(`/api/collections/${there.id}`, { method: "PATCH", body: changes }, signal);
    steps.push({ collection: collection.name, done: "updated" });
  }
  steps.push(await allowBatches(server, signal));
  await server.requireCurrent(signal);
  return steps;
}

/** Asks for a record of each collection that every account may ask. @throws {Failure} where one is missing. */
export async function requireCollections(server: PocketbaseServer, signal: AbortSignal): Promise<void> {
  for (const { name } of COLLECTIONS.filter(({ rules }) => rules.list !== null)) {
    await server.ask(`/api/collections/${name}/records`, { query: { perPage: 1, skipTotal: 1, fields: "id" } }, signal);
  }
}

/** Log lines are sent many at a time; servers are set up without that, or give up after three seconds, which a busy one needs. */
async function allowBatches(server: PocketbaseServer, signal: AbortSignal): Promise<SetupStep> {
  const { batch } = await server.ask<{ batch?: Partial<typeof LEAST_BATCH> }>("/api/settings", {}, signal);
  const { timeout = 0, maxRequests = 0 } = batch ?? {};
  const wanted = {
    enabled: true,
    timeout: Math.max(timeout, LEAST_BATCH.timeout),
    maxRequests: Math.max(maxRequests, LEAST_BATCH.maxRequests),
  };
  const isSame = batch?.enabled === true && timeout === wanted.timeout && maxRequests === wanted.maxRequests;
  if (isSame) return { collection: "batch requests", done: "unchanged" };
  await server.ask("/api/settings", { method: "PATCH", body: { batch: { ...batch, ...wanted } } }, signal);
  return { collection: "batch requests", done: "updated" };
}

/** Seconds, and lines that are sent together. */
const LEAST_BATCH = { enabled: true, timeout: 30, maxRequests: LINES_TOGETHER };

/** A collection as the server describes it. */
interface Described extends Record<string, unknown> {
  readonly id: string;
  readonly name: string;
}

type Fields = readonly ({ readonly name: string } & Record<string, unknown>)[];
/** What a field of ours is brought back to; the rest of it is left as others have set it. */
const GUARDED = ["required", "cascadeDelete", "onlyDomains"];

/** What has to change for the collection to be as wanted; null if it is. */
function changesTo(there: Described, wanted: Record<string, unknown>): Record<string, unknown> | null {
  const known = (there["fields"] ?? []) as Fields;
  const ours = wanted["fields"] as Fields;
  const fields = known.map((field) => {
    const our = ours.find(({ name }) => name === field.name) ?? {};
    return { ...field, ...Object.fromEntries(Object.entries(our).filter(([key]) => GUARDED.includes(key))) };
  });
  fields.push(...ours.filter(({ name }) => !known.some((field) => field.name === name)));
  const hasFields = JSON.stringify(fields) === JSON.stringify(known);
  const changed = Object.keys(wanted).filter((rule) => rule.endsWith("Rule") && (there[rule] ?? null) !== wanted[rule]);
  const indexes = (wanted["indexes"] as string[]).filter((index) =>
    !((there["indexes"] ?? []) as string[]).some((one) => indexName(one) === indexName(index))
  );
  const isAlerting = wanted["authAlert"] !== undefined && (there["authAlert"] as typeof NO_ALERT | undefined)?.enabled !== false;
  if (hasFields && changed.length + indexes.length === 0 && !isAlerting) return null;
  return {
    ...(isAlerting ? { authAlert: { ...there["authAlert"] as object, ...NO_ALERT } } : {}),
    ...Object.fromEntries(changed.map((rule) => [rule, wanted[rule]])),
    ...(hasFields ? {} : { fields }),
    ...(indexes.length > 0 ? { indexes: [...(there["indexes"] ?? []) as string[], ...indexes] } : {}),
  };
}

function indexName(sql: string): string {
  return /INDEX\s+(?:IF NOT EXISTS\s+)?[`"[]?(\w+)/i.exec(sql)?.[1] ?? sql;
}

/** As the server describes it. */
const describe = (collection: Collection, ids: ReadonlyMap<string, string>): Record<string, unknown> => ({
  name: collection.name,
  type: collection.type,
  fields: [
    ...collection.fields.map(({ to, max, outlives = false, required = false, ...field }) => ({
      ...field,
      required,
      ...(to === undefined ? {} : { collectionId: ids.get(to), maxSelect: 1, cascadeDelete: !outlives }),
      ...(max === undefined ? {} : field.type === "json" ? { maxSize: max } : { max }),
    })),
    { name: "created", type: "autodate", onCreate: true, onUpdate: false },
    { name: "updated", type: "autodate", onCreate: true, onUpdate: true },
  ],
  indexes: indexesOf(collection),
  ...(collection.type === "auth" ? { authAlert: NO_ALERT, manageRule: null } : {}),
  ...Object.fromEntries(Object.entries(collection.rules).map(([name, rule]) => [`${name}Rule`, rule])),
});

/** Nobody reads the mail of a daemon: a login after an upgrade of the program must not wait until the server has sent one. */
const NO_ALERT = { enabled: false };

function indexesOf({ name: table, indexes }: Collection): string[] {
  return indexes.map(({ name, columns, unique, where }) =>
    `CREATE ${unique ? "UNIQUE " : ""}INDEX \`${name}\` ON \`${table}\` (${
      columns.split(", ").map((column) => `\`${column}\``).join(", ")
    })${where === undefined ? "" : ` WHERE ${where}`}`
  );
}
