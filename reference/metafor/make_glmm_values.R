# Values to hold ours against: binomial-normal models of proportions and of odds ratios.
# usage: Rscript make_glmm_values.R glmm.json
suppressPackageStartupMessages({ library(metafor); library(metadat); library(lme4) })
options(warn = -1)

# With 51 nodes the quadrature of lme4 is exact to the last digits that its optimiser reaches; metafor passes both on.
NODES <- 51
SEARCH <- list(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5))
UNCONDITIONAL <- list(glmerCtrl = SEARCH)

# 17 significant digits give back the same double; the JSON libraries of R stop at 15.
as_json <- function(x) {
  if (is.null(x)) return("null")
  if (is.list(x)) {
    inside <- paste0('"', names(x), '":', vapply(x, as_json, ""), collapse = ",\n")
    return(paste0("{", inside, "}"))
  }
  said <- if (is.character(x)) paste0('"', x, '"') else ifelse(is.finite(x), sprintf("%.17g", x), "null")
  if (length(x) == 1) said else paste0("[", paste(said, collapse = ","), "]")
}

num <- function(x) as.numeric(x)

fitted_by_metafor <- function(...) {
  z <- rma.glmm(...)
  t <- rma.glmm(..., test = "t")
  list(k = z$k, estimate = num(z$beta), se = num(z$se), tau2 = num(z$tau2), LRT = num(z$QE.LRT), LRT_df = num(z$QE.df),
       LRT_p = num(z$QEp.LRT), ci_low = num(z$ci.lb), ci_high = num(z$ci.ub), p = num(z$pval),
       t_df = num(t$ddf), t_ci_low = num(t$ci.lb), t_ci_high = num(t$ci.ub), t_p = num(t$pval))
}

fitted_by_lme4 <- function(formula, data, coefficient) {
  r <- glmer(formula, family = binomial, data = data, nAGQ = NODES, control = do.call(glmerControl, SEARCH))
  list(estimate = num(fixef(r)[coefficient]), se = sqrt(num(diag(as.matrix(vcov(r)))[coefficient])),
       tau2 = num(VarCorr(r)$study))
}

proportions <- function(events, n) {
  x <- data.frame(study = factor(seq_along(n)), events, other = n - events)
  list(studies = list(events1 = num(events), n1 = num(n)),
       metafor = fitted_by_metafor(measure = "PLO", xi = events, ni = n, nAGQ = NODES, control = UNCONDITIONAL),
       lme4 = fitted_by_lme4(cbind(events, other) ~ 1 + (1 | study), x, 1))
}

odds_ratios <- function(a, n1, c, n2) {
  used <- !is.na(a) & !is.na(c)
  a <- a[used]; n1 <- n1[used]; c <- c[used]; n2 <- n2[used]
  counts <- list(measure = "OR", ai = a, n1i = n1, ci = c, n2i = n2)
  some <- a + c > 0 & a + c < n1 + n2
  x <- data.frame(study = factor(rep(seq_along(a), 2)), group = rep(1:0, each = length(a)), half = rep(c(.5, -.5), each = length(a)),
                  events = c(a, c), other = c(n1 - a, n2 - c))[rep(some, 2), ]
  x$study <- droplevels(x$study)
  list(studies = list(events1 = num(a), n1 = num(n1), events2 = num(c), n2 = num(n2)),
       CM.EL = do.call(fitted_by_metafor, c(counts, list(model = "CM.EL"))),
       UM.FS = do.call(fitted_by_metafor, c(counts, list(model = "UM.FS", nAGQ = NODES, control = UNCONDITIONAL))),
       UM.FS_lme4 = fitted_by_lme4(cbind(events, other) ~ -1 + study + group + (half - 1 | study), x, "group"))
}

bcg <- transform(dat.bcg, n1i = tpos + tneg, n2i = cpos + cneg)
deaths <- dat.collins1985a
values <- list(
  `_made_with` = list(
    metafor = as.character(packageVersion("metafor")), metadat = as.character(packageVersion("metadat")),
    lme4 = as.character(packageVersion("lme4")), BiasedUrn = as.character(packageVersion("BiasedUrn")), R = R.version.string,
    calls = paste("rma.glmm(measure='PLO'); rma.glmm(measure='OR', model='CM.EL' or 'UM.FS'), nAGQ and control as in the",
                  "script; test='z' and 't'; glmer(nAGQ=51)")),
  proportion = list(
    dat.pritz1997 = proportions(dat.pritz1997$xi, dat.pritz1997$ni),
    dat.debruin2009 = proportions(dat.debruin2009$xi, dat.debruin2009$ni),
    dat.nielweise2007 = proportions(dat.nielweise2007$ai, dat.nielweise2007$n1i),
    dat.hahn2001 = proportions(dat.hahn2001$ai, dat.hahn2001$n1i),
    dat.bcg = proportions(bcg$tpos, bcg$n1i)),
  or = list(
    dat.nielweise2007 = with(dat.nielweise2007, odds_ratios(ai, n1i, ci, n2i)),
    dat.hahn2001 = with(dat.hahn2001, odds_ratios(ai, n1i, ci, n2i)),
    dat.damico2009 = with(dat.damico2009, odds_ratios(xt, nt, xc, nc)),
    dat.collins1985a = odds_ratios(deaths$d.xti, deaths$nti, deaths$d.xci, deaths$nci),
    dat.bcg = odds_ratios(bcg$tpos, bcg$n1i, bcg$cpos, bcg$n2i)))
writeLines(as_json(values), commandArgs(TRUE)[1])
