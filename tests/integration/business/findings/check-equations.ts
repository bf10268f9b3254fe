import Big from 'big.js';

/**
 * Does the arithmetic of a finding again, by a small parser of its own: figures, + − × / and parentheses. Returns the
 * equations that do not hold to the sixth decimal.
 */
export function failedEquations(arithmetic: string, at_least = 4): string[] {
  const equations = arithmetic.split('; ').filter((part) => / = [\d.−-]+$/.test(part));
  if (equations.length < at_least) return [`too few equations: ${arithmetic}`];
  return equations.filter((equation) => {
    const [, expression = '', result = ''] = /: ([^:]*) = ([\d.−-]+)$/.exec(equation) ?? [];
    return !evaluate(expression).minus(result.replace('−', '-')).abs().lte('0.000001');
  });
}

function evaluate(expression: string): Big {
  const tokens = expression.match(/\d+(?:\.\d+)?|[()+−×/]/g) ?? [];
  if (tokens.join('') !== expression.replaceAll(' ', '')) throw new Error(`not figures alone: ${expression}`);
  const value = readSum(tokens);
  if (tokens.length > 0) throw new Error(`not an expression: ${expression}`);
  return value;
}

function readSum(tokens: string[]): Big {
  let value = readProduct(tokens);
  for (let sign = tokens[0]; sign === '+' || sign === '−'; sign = tokens[0]) {
    tokens.shift();
    const next = readProduct(tokens);
    value = sign === '+' ? value.plus(next) : value.minus(next);
  }
  return value;
}

function readProduct(tokens: string[]): Big {
  let value = readOne(tokens);
  for (let sign = tokens[0]; sign === '×' || sign === '/'; sign = tokens[0]) {
    tokens.shift();
    const next = readOne(tokens);
    value = sign === '×' ? value.times(next) : value.div(next);
  }
  return value;
}

function readOne(tokens: string[]): Big {
  const token = tokens.shift();
  if (token !== '(') return new Big(token ?? '');
  const value = readSum(tokens);
  tokens.shift();
  return value;
}
