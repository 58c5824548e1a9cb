/**
 * Two installations that give other bytes the same names at one destination at the same moment, where others have these names
 * already: every version is there in the end, whole.
 */
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { aDestination, aServer } from "../conformance/rig.ts";
import type { Naming } from "../support/naming_process.ts";
import { stagingRemains } from "../support/observer.ts";
import { type SshdOptions, startSshd } from "../support/sshd.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { until } from "../support/until.ts";
import { namesIn, needsFor } from "./rig.ts";

const WAYS: readonly { name: string; method: "local" | "rsync" | "sftp"; files: number; everyMs: number; sshd?: SshdOptions }[] =
  [
    { name: "local", method: "local", files: 300, everyMs: 5 },
    { name: "rsync", method: "rsync", files: 60, everyMs: 60 },
    { name: "rsync without perl", method: "rsync", files: 60, everyMs: 100, sshd: { without: ["perl"] } },
    { name: "sftp without a shell", method: "sftp", files: 100, everyMs: 50, sshd: { sftpOnly: true } },
  ];

for (const { name, method, files, everyMs, sshd } of WAYS) {
  Deno.test(
    `two installations give the same names at the same moment (${name}): no version is lost`,
    needsFor(method),
    async () => {
      await using folder = await tempFolder();
      const there = folder.at("archive");
      await Deno.mkdir(there);
      const names = Array.from({ length: files }, (_, number) => `${number}.fits`);
      for (const name of names) await Deno.writeTextFile(`${there}/${name}`, `other ${name}`);
      await using server = method === "local" ? null : await startSshd(sshd);
      const differences = { basePath: there };
      const destination = method === "local" || server === null
        ? aDestination(differences)
        : aServer(method, { host: server.host }, differences);
      const running = ["one", "two"].map((who) =>
        start({
          who,
          destination,
          folder: folder.at(who),
          sshConfig: server?.sshConfig ?? null,
          names,
          ready: folder.at(`${who}.ready`),
          go: folder.at("go"),
          everyMs,
        })
      );
      await until(async () => await isThere(folder, "one.ready") && await isThere(folder, "two.ready"), "both are ready", 60);
      await Deno.writeTextFile(folder.at("go.new"), String(Date.now() + 300));
      await Deno.rename(folder.at("go.new"), folder.at("go"));
      for (const { code, stderr } of await Promise.all(running)) assertEquals(code, 0, new TextDecoder().decode(stderr));

      const versions = new Map(names.map((name) => [name, new Set<string>()]));
      for (const file of (await namesIn(there)).filter((name) => name.endsWith(".fits"))) {
        versions.get(file.replace(/\.v\d+\.fits$/, ".fits"))?.add(await Deno.readTextFile(`${there}/${file}`));
      }
      const expected = names.map((name) => [name, ["one", "other", "two"].map((who) => `${who} ${name}`)]);
      assertEquals([...versions].map(([name, texts]) => [name, [...texts].sort()]), expected);
      assertEquals(await stagingRemains(there), []);
    },
  );
}

async function start(naming: Naming): Promise<Deno.CommandOutput> {
  const program = fromFileUrl(new URL("../support/naming_process.ts", import.meta.url));
  const args = ["run", "--quiet", "--no-check", "--allow-all", program, JSON.stringify(naming)];
  return await new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "piped" }).output();
}

async function isThere(folder: TempFolder, name: string): Promise<boolean> {
  return (await namesIn(folder.path)).includes(name);
}
