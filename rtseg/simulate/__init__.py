"""Patients from nothing: anatomy, population, CT scanner, MR scanner."""
