/** What axe finds in a page that keeps somebody from using it. */
import axe from "axe-core";
import type { Page } from "playwright-core";

/** Serious and critical faults, each with the element; axe is put into the page by the debugger, which no CSP stops. */
export async function seriousFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate("axe.run(document)") as {
    violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)}\n${failureSummary}`));
}
