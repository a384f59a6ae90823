/**
 * Puts pieces into the page, and later only what has become different. A component is drawn again when a signal that it
 * read has changed, and with its parent, unless it reads signals and its props are what they were. Effects run when
 * everything is in place.
 */
import { refer, setAttributes, setLive } from "./attributes";
import { h, type Piece, type Props, piecesOf } from "./element";
import { drawnWith, type Held, letGo } from "./hooks";
import { ignore, isOutdated, type Observer, observe, runAll } from "./signals";

const SVG = "http://www.w3.org/2000/svg";

/** A piece in the page. An element or a text has a node of its own; a component has those of its kids, at least one. */
interface Mounted {
  piece: Piece;
  node: Element | Text | null;
  kids: (Mounted | null)[];
  drawing: Drawing | null;
  readonly depth: number;
  readonly isSvg: boolean;
}

const roots = new WeakMap<Element, Mounted>();
const outdated = new Set<Drawing>();
/** Effects of what was drawn, which run when all of it is in the page: children's before their parents'. */
const afterDrawing = new Set<() => void>();

/** Shows `tree` in an element that is empty, or that showed another tree; null removes it. */
export function render(tree: unknown, container: Element): void {
  const root = roots.get(container) ?? {
    piece: h("", null),
    node: container,
    kids: [],
    drawing: null,
    depth: 0,
    isSvg: false,
  };
  roots.set(container, root);
  drawKids(root, tree);
  arrange(root.kids, container, null);
  runAll(afterDrawing);
}

/** A component's own part: what it reads, what it holds, and its being drawn again. */
class Drawing implements Observer {
  sources: Observer["sources"] = new Map();
  readonly live = true;
  readonly held: Held = [];

  constructor(readonly mounted: Mounted) {}

  notify(): void {
    if (outdated.size === 0) queueMicrotask(drawOutdated);
    outdated.add(this);
  }

  draw(): void {
    const { type, props } = this.mounted.piece;
    const draw = () => (type as (props: Props) => unknown)(props);
    const [drawn, effects] = observe(this, () => drawnWith(this.held, draw));
    // Something must mark its place where it shows nothing.
    drawKids(this.mounted, piecesOf(drawn).some(Boolean) ? drawn : "");
    for (const effect of effects) afterDrawing.add(effect);
  }

  drawAgain(): void {
    const nodes = nodesOf(this.mounted);
    const parent = nodes[0]?.parentNode;
    const next = nodes.at(-1)?.nextSibling ?? null;
    this.draw();
    if (parent) arrange(this.mounted.kids, parent, next);
  }

  end(): void {
    ignore(this);
    letGo(this.held);
  }
}

function drawOutdated(): void {
  // Parents first: they may draw their children, or remove them.
  const drawings = [...outdated].sort((a, b) => a.mounted.depth - b.mounted.depth);
  outdated.clear();
  const due = drawings.map((drawing) => () => {
    if (isOutdated(drawing)) drawing.drawAgain();
  });
  try {
    runAll(new Set(due));
  } finally {
    runAll(afterDrawing);
  }
}

function drawKids(parent: Mounted, drawn: unknown): void {
  const before = new Map(parent.kids.map((kid, i) => [nameOf(kid?.piece, i), kid]));
  const gone = new Set(parent.kids);
  parent.kids = piecesOf(drawn).map((piece, i) => {
    if (!piece) return null;
    const name = nameOf(piece, i);
    const kid = before.get(name);
    if (!kid || kid.piece.type !== piece.type || !gone.delete(kid)) return mount(piece, parent);
    update(kid, piece);
    return kid;
  });
  for (const kid of gone) if (kid) remove(kid);
}

/** What a piece is known by among its siblings: its key, else its place. */
function nameOf(piece: Piece | null | undefined, place: number): unknown {
  return piece?.key === undefined ? place : `key ${piece.key}`;
}

function mount(piece: Piece, parent: Mounted): Mounted {
  const { type, props } = piece;
  const isSvg = type === "svg" || parent.isSvg;
  const mounted: Mounted = { piece, node: null, kids: [], drawing: null, depth: parent.depth + 1, isSvg };
  if (typeof type === "function") {
    mounted.drawing = new Drawing(mounted);
    mounted.drawing.draw();
  } else if (type === "") {
    mounted.node = document.createTextNode(props.children as string);
  } else {
    mounted.node = isSvg ? document.createElementNS(SVG, type) : document.createElement(type);
    drawElement(mounted, mounted.node as Element, {});
  }
  return mounted;
}

function update(mounted: Mounted, piece: Piece): void {
  const { props: before } = mounted.piece;
  if (mounted.piece === piece) return;
  mounted.piece = piece;
  if (mounted.drawing) {
    const { drawing } = mounted;
    if (drawing.sources.size === 0 || !isSame(before, piece.props)) drawing.draw();
  } else if (mounted.node instanceof Element) {
    drawElement(mounted, mounted.node, before);
  } else if (mounted.node && before.children !== piece.props.children) {
    mounted.node.data = piece.props.children as string;
  }
}

function drawElement(mounted: Mounted, element: Element, before: Props): void {
  const { props } = mounted.piece;
  setAttributes(element, before, props);
  drawKids(mounted, props.children);
  arrange(mounted.kids, element, null);
  setLive(element, props);
}

function isSame(before: Props, props: Props): boolean {
  const names = Object.keys(props);
  return (
    names.length === Object.keys(before).length &&
    names.every((name) => name in before && Object.is(props[name], before[name]))
  );
}

function nodesOf({ node, kids }: Mounted): (Element | Text)[] {
  return node ? [node] : kids.flatMap((kid) => (kid ? nodesOf(kid) : []));
}

/** Puts the kids' nodes into their order before `next`, and moves none that is there already. */
function arrange(kids: Mounted["kids"], parent: Node, next: Node | null): void {
  const nodes = kids.flatMap((kid) => (kid ? nodesOf(kid) : []));
  let after = next;
  for (const node of nodes.reverse()) {
    if (node.parentNode !== parent || node.nextSibling !== after) parent.insertBefore(node, after);
    after = node;
  }
}

function remove(mounted: Mounted): void {
  const nodes = nodesOf(mounted);
  end(mounted);
  for (const node of nodes) node.remove();
}

/** Ends all within before anything leaves the page: who gives the focus back still has it to give. */
function end(mounted: Mounted): void {
  mounted.drawing?.end();
  if (mounted.node) refer(mounted.piece.props, null);
  for (const kid of mounted.kids) if (kid) end(kid);
}
