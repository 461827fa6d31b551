"""The closed set of changes to a training program, as pure data with their words and code.

One file a subject. Nothing here touches a program: `repair` writes an edit into its text. What no
edit can express is advice.
"""

from __future__ import annotations

from unstuck.schema.edits.data import (
    BatchSize,
    ClampInputs,
    CopySample,
    DropLast,
    FetchEachStep,
    FillWithMedian,
    Impute,
    MoveChannels,
    NormaliseInputs,
    NormaliseTargets,
    OneLoader,
    ReplaceMissing,
    Shuffle,
    SortClasses,
    SwapAxes,
    TransformTogether,
    WeightPerSample,
)
from unstuck.schema.edits.edit import Edit, Safety, Together, literal, measured
from unstuck.schema.edits.layers import (
    BatchFirst,
    DefaultInitialisation,
    Dropout,
    InitialiseLayer,
    InsertLayer,
    KeepResult,
    LayerArgument,
    RegisterLayers,
    RemoveFactors,
    RemoveLayer,
    ReplaceLayer,
    ResizeLayer,
    SoftmaxAxis,
)
from unstuck.schema.edits.loop import (
    CallIt,
    CallStep,
    CreateGraph,
    FollowMode,
    KeepGraph,
    KeepNumber,
    MoreSteps,
    SwitchMode,
    Unfreeze,
)
from unstuck.schema.edits.losses import (
    ClassWeights,
    DivideLoss,
    FlipSign,
    Guard,
    LossArgument,
    LossForm,
    LossOption,
    SwapLoss,
    WeighTerm,
)
from unstuck.schema.edits.optimizers import (
    Clip,
    MoveSchedulerStep,
    OptimizerArgument,
    ParametersToOptimizer,
    RemoveClip,
    RemoveSchedule,
    Schedule,
    SwapOptimizer,
    WidenWeights,
    ZeroGrad,
)
from unstuck.schema.edits.remedies import Remedy, loss_form
from unstuck.schema.edits.sequences import AttendBackwards, InvertMask, ReadRealSteps
from unstuck.schema.edits.sharing import (
    BuildEach,
    BuildOnce,
    CopyNetwork,
    CopyState,
    Follow,
    LoadKeys,
    MaskEnds,
)

__all__ = [
    "AttendBackwards", "BatchFirst", "BatchSize", "BuildEach", "BuildOnce", "CallIt", "CallStep",
    "ClampInputs", "ClassWeights", "Clip", "CopyNetwork", "CopySample", "CopyState", "CreateGraph",
    "DefaultInitialisation", "DivideLoss", "DropLast", "Dropout", "Edit", "FetchEachStep",
    "FillWithMedian", "FlipSign", "Follow", "FollowMode", "Guard", "Impute", "InitialiseLayer",
    "InsertLayer", "InvertMask", "KeepGraph", "KeepNumber", "KeepResult", "LayerArgument",
    "LoadKeys", "LossArgument", "LossForm", "LossOption", "MaskEnds", "MoreSteps", "MoveChannels",
    "MoveSchedulerStep", "NormaliseInputs", "NormaliseTargets", "OneLoader", "OptimizerArgument",
    "ParametersToOptimizer", "ReadRealSteps", "RegisterLayers", "Remedy", "RemoveClip",
    "RemoveFactors", "RemoveLayer", "RemoveSchedule", "ReplaceLayer", "ReplaceMissing",
    "ResizeLayer", "Safety", "Schedule", "Shuffle", "SoftmaxAxis", "SortClasses", "SwapAxes",
    "SwapLoss", "SwapOptimizer", "SwitchMode", "Together", "TransformTogether", "Unfreeze",
    "WeighTerm", "WeightPerSample", "WidenWeights", "ZeroGrad", "literal", "loss_form", "measured",
]
