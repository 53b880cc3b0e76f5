.DEFAULT_GOAL := help
.PHONY: help report test lab check docs format lock readme fonts benchmark fuzz clean

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

help: ## List these targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

report: $(READY) ## Check the data, run every notebook, write reports/ (open reports/index.html)
	$(BIN)/evidence report

test: $(READY) ## Lint, check types, build the documentation and run the test suite
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@# The suite starts Python a hundred times: keep what it compiles, also where a variable forbids it.
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(if $(CI),--cov --cov-report=)
	@# Branch coverage costs half as much time again, so only CI measures it; also: make test CI=1
	@$(if $(CI),echo "Branch coverage of src/evidence: $$($(BIN)/coverage report --format=total) %")

lab: $(READY) ## Open JupyterLab on the start page
	$(BIN)/jupyter lab --notebook-dir=. notebooks/00_start.ipynb

check: $(READY) ## Check the tables and the bibliography only
	$(BIN)/evidence check

docs: $(READY) ## Build the documentation site in site/ (open site/index.html)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

format: $(READY) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(READY) ## Renew requirements.lock from pyproject.toml
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
	  --no-emit-index-url --no-header --no-annotate --quiet --upgrade --output-file requirements.lock

readme: $(READY) ## Write README.md from docs/README.template.md and the reports
	$(BIN)/evidence report
	$(BIN)/python docs/update_readme.py

fonts: $(READY) ## Cut the fonts of the figures anew from those of matplotlib
	$(BIN)/python docs/update_fonts.py

benchmark: $(READY) ## Count the seeded errors that the checks find, time reports, publish both
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m benchmarks.specifications
	$(BIN)/python -m benchmarks.dose_response
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.explorer
	$(BIN)/python -m benchmarks.scale

MINUTES ?= 20
fuzz: $(READY) ## Break the inputs at random for a while (make fuzz MINUTES=20)
	@end=$$(( $$(date +%s) + 60 * $(MINUTES) )); rounds=0; \
	while seed=$$(date +%s); [ "$$((seed + 30))" -lt "$$end" ]; do \
	  echo "seed $$seed"; \
	  FUZZ_UNTIL=$$end $(BIN)/pytest --quiet --hypothesis-profile fuzz --hypothesis-seed "$$seed" \
	    --hypothesis-show-statistics tests/test_fuzz.py \
	    || { echo "Mend the fault, and keep the falsifying example above as @example in tests/test_fuzz.py"; \
	         exit 1; }; \
	  rounds=$$((rounds + 1)); \
	done; echo "$$rounds rounds without a finding"

clean: ## Remove the environment and the reports
	rm -rf $(VENV) reports

# The environment is made once, and again whenever the pinned versions change.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
