/**
 * Debian's Chromium without a window, for the tests of the page: `await using browser = await startBrowser();`. What the page throws
 * or complains about in the console fails the test when the browser is closed.
 */
import { type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { which } from "./needs.ts";

export interface TestBrowser extends AsyncDisposable {
  /** A page of its own with cookies of its own. */
  open(address: string, options?: BrowserContextOptions): Promise<Page>;
  /** Complaints that a test brings about on purpose. */
  readonly expected: RegExp[];
}

/** Without these it calls home. */
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A refused connection is no fault of the page. */
const HARMLESS = [/WebSocket connection to .* failed/, /net::ERR_/, /Failed to load resource/];

export async function startBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({ executablePath: which("chromium") ?? "chromium", args: ARGS });
  const complaints: string[] = [];
  const expected: RegExp[] = [...HARMLESS];
  return {
    expected,
    async open(address, options = {}) {
      const context = await browser.newContext({
        viewport: { width: 1280, height: 860 },
        timezoneId: "Europe/Berlin",
        ...options,
      });
      const page = await context.newPage();
      page.setDefaultTimeout(20_000);
      page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
      });
      await page.goto(address);
      return page;
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      const unexpected = complaints.filter((text) => !expected.some((pattern) => pattern.test(text)));
      if (unexpected.length > 0) throw new Error(`the page complained:\n${unexpected.join("\n")}`);
    },
  };
}
