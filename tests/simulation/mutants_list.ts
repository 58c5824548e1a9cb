/**
 * The faults that `deno task simulate --mutants` plants: each is one that a change could bring back, and that nights should find.
 */

/** One text of one file below `src/`, and what takes its place. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Why no night can meet it: then it is not tried. */
  readonly unseen?: string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: "staged file is not flushed before it gets its name",
    file: "methods/local/local_names.ts",
    from: "    await system.sync(staged);",
    to: "    await system.facts(staged);",
  },
  {
    name: "folders are not flushed after names are given",
    file: "methods/local/local_names.ts",
    from: "(folder) => system.sync(folder));",
    to: "(folder) => system.facts(folder));",
  },
  {
    name: "new folders are not flushed",
    file: "methods/local/local_names.ts",
    from: "        changed.add(dirname(path));\n        return { done };",
    to: "        return { done };",
  },
  {
    name: "what could not be flushed stays",
    file: "methods/local/local_names.ts",
    from: "    await system.removeTree(staged).catch(() => undefined);\n",
    to: "",
    unseen:
      "a staged file is flushed when it is whole, and nothing takes over a whole one: neither local.ts (takeOver) nor recover.ts " +
      "(sendsStagedAgain); it is removed only to free its space early",
  },
  {
    name: "a taken name is replaced",
    file: "methods/local/local_names.ts",
    from: "  } catch (refusal) {\n    // No hard links",
    to:
      '  } catch (refusal) {\n    if (faultOf(refusal) === "exists") {\n      await system.rename(staged, target);\n      return { done: true };\n    }\n    // No hard links',
  },
  {
    name: "a file of the same size counts as the same",
    file: "methods/naming.ts",
    from: "return Boolean(a && b && a.sha256 === b.sha256);",
    to: "return Boolean(a && b);",
  },
  {
    name: "the former version is not kept",
    file: "methods/naming.ts",
    from: "if (!await keepAs(names, item, former, signal)) return false;",
    to: 'if (former === "") return false;',
  },
  {
    name: "the former version is not flushed before its name is given away",
    file: "methods/naming.ts",
    from: "      await flush(names, signal);\n      return true;",
    to: "      return true;",
  },
  {
    name: "the sweep takes other names too",
    file: "methods/removal.ts",
    from: "const ours = entries.filter(({ name }) => isAttemptName(name));",
    to: "const ours = entries;",
  },
  {
    name: "the sweep leaves what is ours",
    file: "methods/local/local_names.ts",
    from: "await system.removeTree(pathOf(base, each)).catch(",
    to: "await system.facts(pathOf(base, each)).catch(",
  },
  {
    name: "a missing file has the digest of an empty one",
    file: "methods/local/local_files.ts",
    from: '    if (faultOf(error) === "not_found") return null;',
    to: '    if (faultOf(error) === "not_found") return { bytes: 0, sha256: null as never };',
    unseen: "a digest without a hash is taken for none wherever it is compared",
  },
  {
    name: "adopted files are not flushed",
    file: "methods/local/local_files.ts",
    from: "(place) => base.system.sync(place));",
    to: "(place) => base.system.facts(place));",
  },
  {
    name: "what failed to be copied counts as put",
    file: "methods/local/local.ts",
    from: '      if (failure.next === "hold") throw failure;\n      return { put: false, failure: failureRecord(failure) };',
    to: '      if (failure.next === "hold") throw failure;\n      return { put: true };',
    unseen:
      "what was put is read back and compared before it gets a name: a failed copy is then a wrong one, and is sent again all the same",
  },
  {
    name: "the source is not checked after it was sent",
    file: "delivery/carry.ts",
    from: "  await recheckSources({ ...batch, items }, signal);\n",
    to: "",
  },
  {
    name: "ctime is not compared after sending",
    file: "delivery/steps/check.ts",
    from: "if (isHeard || facts.ctimeMs !== item.ctimeMs) doubtful.push(item);",
    to: "if (isHeard) doubtful.push(item);",
  },
  {
    name: "a changed source counts as the same",
    file: "delivery/steps/check.ts",
    from: 'if (facts.kind !== "file" || !sameFingerprint(facts, source)) throw changed(source);',
    to: 'if (facts.kind !== "file") throw changed(source);',
  },
  {
    name: "a read of another length counts",
    file: "delivery/steps/check.ts",
    from: "  if (digest.bytes !== source.size) return giveUp(item, changed(source));\n",
    to: "",
  },
  {
    name: "a change within a tick of the clock is not waited for",
    file: "delivery/steps/check.ts",
    from: "  if (waitMs > 0) await system.sleep(waitMs, signal);",
    to: "",
  },
  {
    name: "the look for writers before sending is skipped",
    file: "delivery/steps/check.ts",
    from: "for (const item of unknown) if (open?.has(pathOf(item))) postpone",
    to: "for (const item of unknown) if (open?.has(pathOf(item)) && open.size < 0) postpone",
  },
  {
    name: "the look for writers is not waited for",
    file: "delivery/steps/check.ts",
    from: "    over: () => looking,",
    to: "    over: () => Promise.resolve(),",
  },
  {
    name: "a destination's hash is taken for granted",
    file: "delivery/carry.ts",
    from: "return items.map((item) => item.there ?? found.get(item) ?? null);",
    to: "return items.map((item) => ({ bytes: item.delivery.source.size, sha256: item.sha256, ...(found.size < 0 ? {} : {}) }));",
  },
  {
    name: "found files of another content are adopted",
    file: "delivery/steps/adopt.ts",
    from: "return found !== null && found.bytes === item.delivery.source.size && found.sha256 === item.sha256;",
    to: "return found !== null && found.bytes === item.delivery.source.size;",
  },
  {
    name: "the receipt is recorded before the name is given",
    file: "delivery/carry.ts",
    from: "  await publish({ ...batch, items: staged }, hard);\n",
    to: "  for (const item of staged) if (item.receipt !== null) item.outcome ??= { receipt: item.receipt };\n",
  },
  {
    name: "a wrong staged file fails its delivery after a crash",
    file: "delivery/carry.ts",
    from: 'if (failureOf(item)?.code === "mismatch") item.outcome = null;',
    to: 'if (failureOf(item)?.code === "mismatch") item.outcome = { failure: { ...failureOf(item)!, next: "never" } };',
  },
  { name: "nothing is swept after a crash", file: "delivery/carry.ts", from: "  await session.sweep(go, hard);\n", to: "" },
  {
    name: "an outage uses up attempts",
    file: "delivery/carry.ts",
    from:
      "  if (isOutage(failure)) return defer(delivery, failure, rules.now + backOff(3, retryDelayMs, rules.random), false);\n",
    to: "",
  },
  {
    name: "an outage is final",
    file: "delivery/carry.ts",
    from: '  if (failure.next === "never") return fail',
    to: '  if (failure.next === "never" || isOutage(failure)) return fail',
  },
  {
    name: "a write to the ledger is not tried again",
    file: "delivery/carry.ts",
    from: "      if (signal.aborted) throw error;",
    to: "      throw error;",
  },
  {
    name: "a source is removed without a look at its destinations",
    file: "delivery/remove_source.ts",
    from: "      if (!same || proven === null || stats?.[index]?.bytes !== candidate.source.size) present.delete(candidate);",
    to: "      if (proven === null) present.delete(candidate);\n      void same;",
  },
  {
    name: "a copy is not flushed before its source is removed",
    file: "delivery/remove_source.ts",
    from: "    await session?.flush(candidates.map((candidate) => targetOf.get(candidate)!), signal);\n",
    to: "",
    unseen: "both methods of a night flush what they publish and what they accept; it is for those that cannot",
  },
  {
    name: "a source that was changed is removed",
    file: "delivery/remove_source.ts",
    from: "return receipts.every((receipt) => receipt.sha256 === sha256);",
    to: 'return receipts.length >= 0 || sha256 === "";',
  },
  {
    name: "what was sent when the program ended is forgotten",
    file: "ledger/sqlite/outbox_queries.ts",
    from: "inFlight: (job, destination) => db.all(SENDING, job, destination).map(toDelivery),",
    to: "inFlight: (job, destination) => db.all(SENDING, job, destination).map(toDelivery).slice(0, 0),",
  },
  {
    name: "due deliveries that were deferred are not claimed",
    file: "ledger/sqlite/outbox_queries.ts",
    from: "if (deferred.length === 0) return queued;",
    to: "if (deferred.length >= 0) return queued;",
  },
  {
    name: "the ledger is not flushed",
    file: "ledger/sqlite/database.ts",
    from: 'this.exec("PRAGMA synchronous = FULL; ',
    to: 'this.exec("PRAGMA synchronous = OFF; ',
  },
  {
    name: "a file with an open writer is finished",
    file: "intake/settle/settle.ts",
    from: '  if (file.writer === "open") return waiting(file, "writer open");\n  const atOnce',
    to: "  const atOnce",
  },
  {
    name: "a short file is finished",
    file: "intake/settle/settle.ts",
    from: '      return unfinished(file, rules, file.grew ? "growing" : "short", verdict.reason);',
    to: "      return whenWriterGone(file, rules, emptyTail, FINISHED);",
  },
  {
    name: "the last look before a file is queued is skipped",
    file: "intake/admit/admit_finished.ts",
    from: "  if (!await isStill(context, candidate)) return null;\n",
    to: "",
  },
  {
    name: "files without an answer about their writers are not looked at again",
    file: "intake/settle/settle_files.ts",
    from: "    for (const path of answered()) candidates.end(path, system.monotonic() + FAILED_AGAIN_MS);",
    to: "    for (const path of answered()) candidates.end(path, Infinity);",
  },
  {
    name: "a scan ends early",
    file: "intake/watch/scans.ts",
    from: "  const wanted = files.filter(({ path }) => patterns.wants(path));",
    to: "  const wanted = files.filter(({ path }) => patterns.wants(path)).slice(0, 3);",
  },
  {
    name: "a link that another account put in the place of our folder is followed",
    file: "methods/local/local_base.ts",
    from: '  if (facts.kind !== "folder") throw unsafeStaging(where, stagingRoot, "link");\n',
    to: '  if (facts.kind !== "folder") return true;\n',
  },
  {
    name: "a source behind an exchanged folder is removed",
    file: "delivery/remove_source.ts",
    from: '    if ((await system.facts(folder))?.kind !== "folder") return false;\n',
    to: "    if (await system.facts(folder) === null) return false;\n",
  },
  {
    name: "a source that a program has open is removed",
    file: "delivery/remove_source.ts",
    from: "if (open?.has(candidate.source.absolutePath) || !present.has(candidate)) continue;",
    to: "if (open === undefined || !present.has(candidate)) continue;",
  },
  {
    name: "what a mirror misses is not looked for again on the right disk",
    file: "delivery/mirror/remove_there.ts",
    from: "  await demandKnownPlace(session, { destination, ledger }, signal);\n",
    to: "  void ledger;\n",
  },
  {
    name: "a content that was not all there is never read again",
    file: "intake/settle/settle_files.ts",
    from: "let candidate = withoutStaleContent(start);",
    to: "let candidate = withoutStaleContent.length === 0 ? start : { ...start };",
  },
  {
    name: "what a refused copy left is in the way of the next",
    file: "methods/local/local.ts",
    from: "    await system.removeTree(to);\n    return 0;\n  }\n",
    to: "    return 0;\n  }\n",
  },
];
