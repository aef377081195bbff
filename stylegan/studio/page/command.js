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

export function generateCommand(drawing, source, seed) {
  const words = ["stylegan", "generate", ...shared(drawing, source), "--seeds", seed];
  if (drawing.translate.some(Boolean)) words.push(`--translate=${drawing.translate.join(",")}`);
  if (drawing.rotate) words.push(`--rotate=${drawing.rotate}`);
  return words.join(" ");
}

export function mixCommand(drawing, source, rows, cols, styles) {
  return ["stylegan", "mix", ...shared(drawing, source), "--rows", rows.join(","), "--cols", cols.join(","), "--styles", styles].join(" ");
}

export function projectCommand(label, source, file, space, steps) {
  const words = ["stylegan", "project", "--network", quoted(source), "--target", quoted(file), "--space", space, "--num-steps", steps];
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
