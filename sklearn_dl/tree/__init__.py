"""Decision trees."""

from sklearn.tree import export_text, plot_tree

from sklearn_dl.tree.decision_tree import DecisionTreeClassifier, DecisionTreeRegressor

__all__ = ["DecisionTreeClassifier", "DecisionTreeRegressor", "export_text", "plot_tree"]
