/**
 * A rule for `deno lint`: a function in `src/` fits on a screen, signature and all; a factory counts with what its closure holds.
 *
 * @module
 */

/** Lines. */
const LONGEST = 60;

const plugin: Deno.lint.Plugin = {
  name: "image-transfer",
  rules: {
    "long-function": {
      create(context) {
        if (!/[/\\]src[/\\]/.test(context.filename)) return {};
        const check = (
          node: Deno.lint.FunctionDeclaration | Deno.lint.FunctionExpression | Deno.lint.ArrowFunctionExpression,
        ) => {
          const lines = context.sourceCode.getText(node).split("\n").length;
          if (lines > LONGEST) {
            context.report({
              node,
              message: `This function has ${lines} lines. ${LONGEST} fit on a screen: take it apart by ideas.`,
            });
          }
        };
        return { FunctionDeclaration: check, FunctionExpression: check, ArrowFunctionExpression: check };
      },
    },
  },
};

export default plugin;
