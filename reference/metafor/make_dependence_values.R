# Values to hold ours against: three-level random effects with two variances, and CR2.
# usage: Rscript make_dependence_values.R dependence.json
suppressPackageStartupMessages({ library(metafor); library(metadat); library(clubSandwich) })

EXACT <- list(optimizer = "optim", optmethod = "BFGS", reltol = 1e-15, maxit = 10000)
RHOS <- c(0, .2, .4, .6, .8)

# 17 significant digits give back the same double; the JSON libraries of R stop at 15.
as_json <- function(x) {
  if (is.list(x)) {
    inside <- paste0('"', names(x), '":', vapply(x, as_json, ""), collapse = ",\n")
    return(paste0("{", inside, "}"))
  }
  said <- if (is.character(x)) paste0('"', x, '"') else ifelse(is.finite(x), sprintf("%.17g", x), "null")
  if (length(x) == 1) said else paste0("[", paste(said, collapse = ","), "]")
}

num <- function(x) as.numeric(x)

# I-squared of a level: its variance in the sum with the typical sampling variance.
i2 <- function(r, V) {
  W <- solve(V)
  X <- model.matrix(r)
  P <- W - W %*% X %*% solve(t(X) %*% W %*% X) %*% t(X) %*% W
  num(100 * r$sigma2 / (sum(r$sigma2) + (r$k - r$p) / sum(diag(P))))
}

three_level <- function(x, rho) {
  V <- as.matrix(vcalc(vi, cluster = study, obs = effect, rho = rho, data = x))
  r <- rma.mv(yi, V, random = ~ 1 | study/effect, data = x, control = EXACT)
  robust <- coef_test(r, vcov = "CR2", cluster = x$study)
  robust_ci <- conf_int(r, vcov = "CR2", cluster = x$study)
  profile <- confint(r, control = list(tol = 1e-12))
  ends <- function(i) num(profile[[i]]$random[1, c("ci.lb", "ci.ub")])
  predicted <- predict(r)
  list(estimate = num(r$beta), se = num(r$se), ci_low = num(r$ci.lb), ci_high = num(r$ci.ub), p = num(r$pval),
       cr2_se = num(robust$SE), cr2_df = num(robust$df_Satt), cr2_p = num(robust$p_Satt),
       cr2_ci_low = num(robust_ci$CI_L), cr2_ci_high = num(robust_ci$CI_U),
       variances = num(r$sigma2), between_ci = ends(1), within_ci = ends(2), I2 = i2(r, V),
       Q = num(r$QE), Q_p = num(r$QEp), log_likelihood = num(logLik(r)),
       pi_low = num(predicted$pi.lb), pi_high = num(predicted$pi.ub))
}

# Coefficients of moderators, and CR2's test (AHT) that all but the intercept are 0.
moderated <- function(x, mods, rho = .6) {
  V <- as.matrix(vcalc(vi, cluster = study, obs = effect, rho = rho, data = x))
  r <- rma.mv(yi, V, mods = mods, random = ~ 1 | study/effect, data = x, control = EXACT)
  robust <- coef_test(r, vcov = "CR2", cluster = x$study)
  robust_ci <- conf_int(r, vcov = "CR2", cluster = x$study)
  wald <- Wald_test(r, constrain_zero(2:r$p), vcov = "CR2", cluster = x$study)
  X <- model.matrix(r)
  columns <- setNames(lapply(2:r$p, function(i) num(X[, i])), paste0("x", 2:r$p - 1))
  c(columns, list(rho = rho, beta = num(r$beta), se = num(r$se), ci_low = num(r$ci.lb), ci_high = num(r$ci.ub),
    p = num(r$pval), cr2_se = num(robust$SE), cr2_df = num(robust$df_Satt), cr2_p = num(robust$p_Satt),
    cr2_ci_low = num(robust_ci$CI_L), cr2_ci_high = num(robust_ci$CI_U),
    wald = num(c(wald$Fstat, wald$df_num, wald$df_denom, wald$p_val)),
    variances = num(r$sigma2), I2 = i2(r, V), Q = num(r$QE), Q_p = num(r$QEp), log_likelihood = num(logLik(r))))
}

data_set <- function(x) {
  found <- list(study = num(x$study), yi = num(x$yi), vi = num(x$vi))
  for (rho in RHOS) found[[paste0("rho ", rho)]] <- three_level(x, rho)
  found
}

districts <- transform(dat.konstantopoulos2011, study = district, effect = school)
delinquency <- transform(dat.assink2016, effect = esid)
values <- list(
  `_made_with` = list(
    metafor = as.character(packageVersion("metafor")), metadat = as.character(packageVersion("metadat")),
    clubSandwich = as.character(packageVersion("clubSandwich")), R = R.version.string,
    calls = paste("vcalc(vi, cluster=study, obs=effect, rho); rma.mv(yi, V, random = ~ 1 | study/effect,",
                  "control as in the script); confint; predict;",
                  "coef_test, conf_int and Wald_test with vcov='CR2'; mods = ~ year, ~ deltype and ~ factor(pubstatus)")),
  dat.konstantopoulos2011 = data_set(districts),
  dat.assink2016 = c(data_set(delinquency), list(
    by_year = moderated(delinquency, ~ year), by_type = moderated(delinquency, ~ deltype),
    by_status = moderated(delinquency, ~ factor(pubstatus)))))
writeLines(as_json(values), commandArgs(TRUE)[1])
