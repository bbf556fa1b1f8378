# Two commands do everything: `make repro` and `make test`. `make help` lists the others.
.DEFAULT_GOAL := help
.PHONY: help repro test quick lint demo fuzz bench images lock stop engine

SETUP := pipelines/setup/setup.sh
PYTHON := .venv/bin/python
export PATH := .venv/bin:$(PATH)

help: ## say what there is to make
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

repro: images ## set up, reproduce the sample registry, show what came out
	$(PYTHON) -m pipelines repro
	$(PYTHON) -m dvc metrics show
	@printf '\nPictures and annotations of each split, and where each picture comes from:\n'
	@for split in data/merged/*/; do \
	  printf '  %sJPEGImages\n  %sAnnotations\n  %smerge.csv\n' "$$split" "$$split" "$$split"; done

test: TOOLS := --tools --receiver
# one process more than processors, because some tests wait for a storage that does not answer
test: .venv/test .venv/services/installed images ## run every test; needs a Docker engine
	$(PYTHON) -m pytest --numprocesses $$(($$(nproc) + 1)) --dist loadscope --no-loadscope-reorder

quick: .venv/test .venv/services/installed ## run the tests that need no engine
	$(PYTHON) -m pytest --numprocesses auto --dist loadscope -m "not engine"

lint: .venv/test ## look for mistakes without running anything
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	hadolint images/*/Dockerfile
	zizmor --quiet --offline --persona pedantic .github
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci .gitlab-ci.yml
	@# what others include begins with a document that says its inputs; the schema is of the next
	sed -e '1,/^---$$/d' -e 's/: \$$\[\[ inputs.[a-z-]*tags \]\]/: [registry]/' pipelines/gitlab/registry.yml | \
	  check-jsonschema --force-filetype yaml --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci -
	git ls-files -z | xargs -0 grep -lZ '^#!.*sh$$' -- | xargs -0 shellcheck

demo: .venv/test .venv/services/installed images ## show a day of a registry, from CVAT to a model repository; takes a minute
	PYTHONPATH=tests $(PYTHON) -m demo.demo

fuzz: .venv/fuzz ## feed the readers broken files for a minute; only a StageError may leave them
	$(PYTHON) tests/fuzz/fuzz.py

bench: .venv/bench ## measure the stages against their rivals; takes ten minutes
	DATUMARO_PYTHON=$(CURDIR)/.venv/bench/bin/python PYTHONPATH=images/base $(PYTHON) tests/bench/bench.py

images: .venv/run engine ## build the images, write images.yaml
	$(PYTHON) -m pipelines images $(TOOLS)

engine: # start a Docker engine if there is none
	@$(SETUP) engine

stop: ## end the Docker engine that make started
	@$(SETUP) stop

lock: .venv/test ## renew the locked packages, requirements.in -> requirements.txt
	pipelines/setup/lock.sh

.venv/run: pipelines/setup/requirements.txt pipelines/setup/setup.sh
	@$(SETUP) check
	@$(SETUP) venv $<
	@touch $@

.venv/test: tests/requirements.txt .venv/run
	@$(SETUP) venv $<
	@touch $@

.venv/services/installed: pipelines/setup/setup.sh tests/services/package.json tests/services/package-lock.json .venv/test
	@$(SETUP) services tests/services
	@touch $@

.venv/fuzz: tests/fuzz/requirements.txt .venv/test
	@$(SETUP) venv $<
	@touch $@

.venv/bench: tests/bench/requirements.txt .venv/test
	@python3 -m venv $@
	@$@/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
	  --only-binary :all: --requirement $<
	@touch $@
