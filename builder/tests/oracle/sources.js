// Reads `[{ source, destination, paths }]`. For each: what path-to-regexp makes of them, with the options that Vercel gives it.
const { pathToRegexp, compile } = require('path-to-regexp');
const questions = JSON.parse(require('fs').readFileSync(0, 'utf8'));

const isRegularExpression = (text) => {
  try { return Boolean(new RegExp(text)); } catch { return false; }
};

const answers = questions.map(({ source, destination, paths }) => {
  const keys = [];
  let pattern;
  // Vercel first asks whether the source is a regular expression, and refuses it if not.
  if (!isRegularExpression(source)) return null;
  try {
    pattern = pathToRegexp(source, keys, { strict: true, sensitive: true, delimiter: '/' });
  } catch {
    return null;
  }
  const indexes = {};
  keys.forEach((key, index) => { indexes[key.name] = `$${index + 1}`; });
  return {
    names: keys.map((key) => String(key.name)),
    matches: paths.map((path) => {
      const found = pattern.exec(path);
      return found && found.slice(1).map((group) => group ?? '');
    }),
    destination: compile(destination, { validate: false })(indexes),
  };
});
process.stdout.write(JSON.stringify(answers));
