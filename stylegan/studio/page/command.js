// The commands that draw again what the page shows.

const quoted = (text) => (/^[\w.,:=+/@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

// The options that all verbs which draw share.
function shared(drawing, source) {
  const words = ["--network", quoted(source), "--trunc", drawing.psi];
  if (drawing.cutoff !== null) words.push("--trunc-cutoff", drawing.cutoff);
  if (drawing.center !== "global") words.push("--trunc-center", drawing.center);
  if (drawing.label !== null) words.push("--class", quoted(drawing.label));
  if (drawing.noise_mode !== "const") words.push("--noise-mode", drawing.noise_mode);
  return words;
}

// seeds: numbers, or names of files with latents.
export function generateCommand(drawing, source, seed) {
  const words = ["stylegan", "generate", ...shared(drawing, source), "--seeds", quoted(String(seed))];
  if (drawing.translate.some(Boolean)) words.push(`--translate=${drawing.translate.join(",")}`);
  if (drawing.rotate) words.push(`--rotate=${drawing.rotate}`);
  return words.join(" ");
}

export function mixCommand(drawing, source, rows, cols, styles) {
  return ["stylegan", "mix", ...shared(drawing, source), "--rows", rows.join(","), "--cols", cols.join(","), "--styles", styles].join(" ");
}

// The verbs that change latents know fewer options.
function plain(verb, { psi, label }, source, start) {
  const words = ["stylegan", verb, "--network", quoted(source), "--trunc", psi];
  if (label !== null) words.push("--class", quoted(label));
  return [...words, "--seeds", quoted(start)];
}

// directions: [FILE:]NAME=STRENGTH; mix: a seed or file, or null.
export function editCommand(drawing, source, start, directions, mix, layers) {
  const words = plain("edit", drawing, source, start);
  for (const direction of directions) words.push("--direction", quoted(direction));
  if (mix !== null) words.push("--mix", quoted(mix), "--layers", layers);
  return words.join(" ");
}

export function dragCommand(drawing, source, start, points, method, steps, masked) {
  const words = [...plain("drag", drawing, source, start), "--points", quoted(points), "--method", method, "--steps", steps];
  return [...words, ...(masked ? ["--mask", "mask.png"] : [])].join(" ");
}

// blend: {source, alpha, layers}, or null.
export function bendCommand(drawing, source, start, isBent, blend) {
  const commands = [];
  if (blend) {
    const words = ["stylegan", "blend", quoted(source), quoted(blend.source), "blended", "--alpha", blend.alpha];
    commands.push([...words, ...(blend.layers === null ? [] : ["--layers", blend.layers])].join(" "));
  }
  const words = plain(isBent ? "bend" : "generate", drawing, blend ? "blended" : source, start);
  commands.push([...words, ...(isBent ? ["--bends", "bends.json"] : [])].join(" "));
  return commands.join(" && ");
}

export function projectCommand(label, source, file, fit, space, steps) {
  const words = ["stylegan", "project", "--network", quoted(source), "--target", quoted(file), "--space", space, "--num-steps", steps];
  if (fit !== "crop") words.push("--fit", fit);
  if (label !== null) words.push("--class", quoted(label));
  return words.join(" ");
}

export function loopCommand(drawing, source, loop) {
  return ["stylegan", "interpolate", ...shared(drawing, source), "--seeds", loop.seeds.join(","), "--frames", loop.frames,
    "--space", loop.space, ...(loop.easing === "linear" || loop.space === "circle" ? [] : ["--easing", loop.easing]), "--fps", loop.fps, "--dest", `out/loop.${loop.format}`].join(" ");
}

export function songCommand(drawing, source, song) {
  return ["stylegan", "interpolate", ...shared(drawing, source), "--seeds", song.seeds.join(","), "--song", quoted(song.file),
    "--drive", song.drive, "--pulse", song.pulse, "--fps", Math.min(song.fps, 60), "--dest", "out/song.mp4"].join(" ");
}
