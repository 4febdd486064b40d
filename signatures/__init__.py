"""What each program is asked: rubrics, and the DSPy signatures made from them. Imports nothing of ours."""
