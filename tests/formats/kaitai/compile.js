// Prints the reader in this folder, as Kaitai's compiler makes it of the description:
//     npm install kaitai-struct-compiler@0.11.0 js-yaml
//     NODE_PATH=node_modules node tests/formats/kaitai/compile.js formats/mlc.ksy > tests/formats/kaitai/mlc.py
const compiler = require("kaitai-struct-compiler");
const yaml = require("js-yaml");
const fs = require("fs");

const exempt = "# ruff: noqa\n# fmt: off\n# Printed by compile.js, which says how.\n";

compiler
  .compile("python", yaml.load(fs.readFileSync(process.argv[2], "utf8")), null, false)
  .then((files) => process.stdout.write(exempt + files["mlc.py"].trimEnd() + "\n"))
  .catch((error) => {
    console.error(String(error));
    process.exit(1);
  });
