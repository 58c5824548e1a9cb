/**
 * A night in which everything happens at once: writers of every kind, and faults of every kind in combinations that
 * nobody thought of. `IMAGE_TRANSFER_CHAOS_SEED` gives another night, `IMAGE_TRANSFER_CHAOS_SECONDS` a longer one.
 */
// deno-lint-ignore-file no-console -- the seed is what a failure is found again with
import { assertEquals } from "@std/assert";
import { GROUPS, mendAll, strike } from "../support/chaos_faults.ts";
import { chaosSite, type Site } from "../support/chaos_site.ts";
import { quiet, verdict } from "../support/chaos_verdict.ts";
import { newFile, write } from "../support/chaos_writers.ts";
import { needs } from "../support/needs.ts";
import { dice } from "../support/seeded.ts";

const SEED = Number(Deno.env.get("IMAGE_TRANSFER_CHAOS_SEED") ?? 20261121);
const SECONDS = Number(Deno.env.get("IMAGE_TRANSFER_CHAOS_SECONDS") ?? 20);
/** A folder for log and ledger of a night that went wrong; every fault is told when it strikes. */
const LOOK = Deno.env.get("IMAGE_TRANSFER_CHAOS_LOOK");

Deno.test(
  `chaos night, seed ${SEED}: writers and faults of every kind at once; in the end every promise holds`,
  needs("root", "sshd", "rsync"),
  async () => {
    const throws = dice(SEED);
    await using site = await chaosSite(throws.of("site"));
    const broken: unknown[] = [];
    let begun = Infinity;
    const over = () => broken.length > 0 || Date.now() - begun > SECONDS * 1000;
    const story: string[] = [];
    const tell = (what: string) => {
      story.push(`${new Date().toISOString().slice(11, 23)} ${what}`);
      if (LOOK) console.log(story.at(-1));
    };
    await site.daemon.start();
    // At the first contact a folder is made where there is none, and the disk is learned: that is done before the night.
    await firstLight(site);
    const pace = { restMs: Math.min(6000, SECONDS * 150), holdMs: 6000, over, tell };
    const large = { largeBytes: SECONDS > 60 ? 60_000_000 : 12_000_000, restMs: 700 };
    begun = Date.now();
    const actors = [
      ...site.cameras.flatMap((camera) => [0, 1].map((at) => write(camera, throws.of(`${camera.job} ${at}`), large, over))),
      ...GROUPS.map((group, at) => strike(group, site, throws.of(`faults ${at}`), pace)),
    ];
    await Promise.all(actors.map((actor) => actor.catch((error) => broken.push(error))));
    tell("the night is over");
    try {
      if (broken.length > 0) throw broken[0];
      await mendAll(site);
      assertEquals(await verdict(site, tell), []);
    } catch (error) {
      console.log(story.join("\n"));
      if (LOOK) await keep(site, LOOK);
      throw error;
    }
  },
);

/** One file of each camera arrives everywhere. */
async function firstLight(site: Site): Promise<void> {
  await site.installation.untilLog(/ Watching /);
  const pace = { largeBytes: 20_000, restMs: 0 };
  await Promise.all(site.cameras.map((camera, at) => newFile(camera, dice(at), pace)));
  const offences: string[] = [];
  await quiet(site, offences);
  assertEquals(offences, []);
}

async function keep(site: Site, folder: string): Promise<void> {
  await new Deno.Command("cp", { args: ["-r", site.folder.at("logs"), site.folder.at("state"), folder] }).output();
}
