import { describe, expect, it } from "vitest";
import { hindranceOf } from "../src/capture/embedding";

interface Place {
  allowed?: boolean;
  href?: string;
  title?: string;
  referrer?: string;
  ancestors?: string[];
}

/** Pages, the outermost first; null is a page of another origin, which lets nothing be read. */
function pages(...places: (Place | null)[]): Window {
  let parent: unknown = null;
  for (const place of places) {
    const page: Record<string, unknown> = {};
    const { allowed, href = "https://lab.example/nb?token=secret#cell", title = "" } = place ?? {};
    const { origin, pathname, protocol } = new URL(href);
    page.location = { origin, pathname, protocol, ancestorOrigins: place?.ancestors };
    const document = {
      title,
      referrer: place?.referrer ?? "",
      ...(allowed === undefined ? {} : { featurePolicy: { allowsFeature: () => allowed } }),
    };
    Object.defineProperty(page, "document", {
      get: () => {
        if (!place) throw new DOMException("Blocked a frame", "SecurityError");
        return document;
      },
    });
    page.parent = parent ?? page;
    parent = page;
  }
  return parent as Window;
}

describe("what keeps the microphone from a page", () => {
  it("is nothing where it is allowed, or where the browser does not tell", () => {
    expect(hindranceOf(pages({ allowed: true }))).toBeNull();
    expect(hindranceOf(pages({}))).toBeNull();
    expect(hindranceOf(pages(null, {}))).toBeNull();
  });

  it("is VS Code in its own pages, also around a frame", () => {
    expect(hindranceOf(pages({ href: "vscode-webview://x/index.html" }))).toEqual({ by: "host" });
    expect(hindranceOf(pages(null, { ancestors: ["vscode-webview://x"] }))).toEqual({ by: "host" });
  });

  it("is the server where the page is no frame", () => {
    expect(hindranceOf(pages({ allowed: false }))).toEqual({ by: "server" });
  });

  it("is the frame, named by title and address, without a token that the address may carry", () => {
    const frame = { allowed: false, title: "My notes", ancestors: ["https://school.example"] };
    expect(hindranceOf(pages(null, frame))).toEqual({
      by: "frame",
      frame: "The frame “My notes” (https://lab.example/nb)",
      embedder: "https://school.example",
    });
  });

  it("is named by its referrer where the browser lists no ancestors", () => {
    const frame = { allowed: false, referrer: "https://school.example/course/1" };
    expect(hindranceOf(pages(null, frame))).toMatchObject({
      frame: "The frame of this notebook (https://lab.example/nb)",
      embedder: "https://school.example",
    });
    expect(hindranceOf(pages(null, { allowed: false }))).toMatchObject({ embedder: "" });
  });

  it("is the outermost frame that lacks it: those within only inherit that", () => {
    const outer = { allowed: false, title: "Course", href: "https://lab.example/course" };
    const inner = { allowed: false, title: "Output", href: "https://lab.example/out" };
    expect(hindranceOf(pages({ allowed: true }, outer, inner))).toMatchObject({
      frame: "The frame “Course” (https://lab.example/course)",
    });
    expect(hindranceOf(pages(null, outer, inner))).toMatchObject({
      frame: "The frame “Course” (https://lab.example/course)",
    });
  });

  it("has no address where it was written into its page", () => {
    expect(hindranceOf(pages({ allowed: true }, { allowed: false, href: "about:srcdoc" }))).toMatchObject({
      frame: "The frame of this notebook",
    });
  });
});
